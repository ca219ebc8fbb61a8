/** What a backend is told of a client before the client's first byte: a header of the PROXY protocol. */

import type { Endpoint } from "../core/endpoint.ts";
import type { IntroductionOptions } from "../pool/pool.ts";
import { alpnTlv, authorityTlv, tlsTlv, uniqueIdTlv } from "../wire/proxy_tlvs.ts";
import { type Tlv, TLV_TYPE } from "../wire/proxy_header.ts";
import { writeProxyV1, writeProxyV2 } from "../wire/write_proxy_header.ts";
import type { Greeting } from "./greeting.ts";

/** The session whose client is introduced. */
export interface Introduced {
  readonly id: string;
  /** The true client. */
  readonly source: Endpoint;
  readonly client: { readonly local: Endpoint };
  readonly greeting: Greeting | undefined;
}

/** Names the true client, and where it connected to. */
export function prefaceOf(session: Introduced, { version, checksum }: IntroductionOptions): Uint8Array {
  const { greeting, source } = session;
  const destination = greeting?.destination ?? session.client.local;
  if (version === 1) return writeProxyV1(source, destination);
  return writeProxyV2({ command: "proxy", source, destination, tlvs: factsOf(session), checksum });
}

/** What is known here; and what the proxy before this one has said of things that are not. */
function factsOf({ id, greeting }: Introduced): Tlv[] {
  const own = [uniqueIdTlv(id)];
  const { serverName, alpn: [alpn, ...others] = [] } = greeting?.hello ?? {};
  if (serverName !== undefined) own.push(authorityTlv(serverName));
  // Of several that a client offers it is not known which one is taken. One with a backslash is shown, and has other bytes.
  if (alpn !== undefined && others.length === 0 && !alpn.includes("\\")) own.push(alpnTlv(alpn));
  if (greeting?.tls !== undefined) own.push(tlsTlv(greeting.tls.version, greeting.tls.subject !== undefined));
  const known = new Set<number>([TLV_TYPE.crc32c, ...own.map(({ type }) => type)]);
  return [...own, ...greeting?.tlvs.filter(({ type }) => !known.has(type)) ?? []];
}
