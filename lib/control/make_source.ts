/** The source that a pool discovers its backends from. */

import type { DiscoverConfig } from "../config/discover_schema.ts";
import { readMember, readMemberFile, readMemberList } from "../config/member_list.ts";
import { dnsSource } from "../discovery/dns_source.ts";
import { etcdSource } from "../discovery/etcd_source.ts";
import { fileSource } from "../discovery/file_source.ts";
import { httpSource } from "../discovery/http_source.ts";
import type { Pause, Source } from "../discovery/source.ts";
import { srvSource } from "../discovery/srv_source.ts";

/** @param pause Waits between questions; a test may have another clock. */
export function makeSource(discover: DiscoverConfig, pause?: Pause): Source {
  const { dns, port = 0, srv, file, http, etcd, resolver, ca, refreshMs } = discover;
  if (dns !== undefined) return dnsSource({ name: dns, port, resolver, refreshMs, pause });
  if (srv !== undefined) return srvSource({ name: srv, resolver, refreshMs, pause });
  if (http !== undefined) return httpSource({ url: http, ca, parse: readMemberList, refreshMs, pause });
  if (etcd !== undefined) return etcdSource({ ...etcd, parse: readMember, pause });
  if (file === undefined) throw new RangeError("Cannot discover backends: there is no source");
  return fileSource({ path: file, parse: (text) => readMemberFile(text, file), pause });
}

/** What a source is called, as `dns api.internal`. */
export function sourceTitle({ dns, port, srv, file, http, etcd }: DiscoverConfig): string {
  if (dns !== undefined) return `dns ${dns}:${port}`;
  if (srv !== undefined) return `srv ${srv}`;
  if (http !== undefined) return `http ${http}`;
  return etcd === undefined ? `file ${file}` : `etcd ${etcd.prefix}`;
}
