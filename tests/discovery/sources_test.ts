/** Every source, with a real peer, held to the same cases. */

import { dnsSource } from "../../lib/discovery/dns_source.ts";
import { etcdSource } from "../../lib/discovery/etcd_source.ts";
import { fileSource } from "../../lib/discovery/file_source.ts";
import { httpSource } from "../../lib/discovery/http_source.ts";
import { srvSource } from "../../lib/discovery/srv_source.ts";
import { ETCD, Etcd } from "../support/etcd.ts";
import { DNSMASQ, NameServer } from "../support/name_server.ts";
import { parseList, parseMember } from "./followed.ts";
import { testSource } from "./shared_cases.ts";
import { refusedPort } from "../support/ports.ts";

const hosts = (addresses: readonly string[]): string[] => addresses.map((it) => it.replace(/:\d+$/, ""));

testSource({
  name: "dns",
  needs: [DNSMASQ],
  trouble: /^cannot ask the name server 127\.0\.0\.1:\d+: /,
  pauses: [1_000, 2_000, 4_000, 8_000],
  rig: () => {
    const server = new NameServer();
    return Promise.resolve({
      source: ({ pause }) => {
        const name = "api.internal";
        return dnsSource({ name, port: 80, resolver: server.address, refreshMs: undefined, pause });
      },
      set: (addresses) => server.serve(hosts(addresses).map((it) => `host-record=api.internal,${it}`)),
      hide: () => server.stop(),
      [Symbol.asyncDispose]: () => server.stop(),
    });
  },
});

testSource({
  name: "srv",
  needs: [DNSMASQ],
  trouble: /^cannot ask the name server 127\.0\.0\.1:\d+: /,
  pauses: [1_000, 2_000, 4_000, 8_000],
  rig: () => {
    const server = new NameServer();
    return Promise.resolve({
      source: ({ pause }) => {
        return srvSource({
          name: "_db._tcp.internal",
          resolver: server.address,
          refreshMs: undefined,
          pause,
        });
      },
      set: (addresses) =>
        server.serve(
          hosts(addresses).flatMap((host, i) => [
            `srv-host=_db._tcp.internal,d${i}.internal,80`,
            `host-record=d${i}.internal,${host}`,
          ]),
        ),
      hide: () => server.stop(),
      [Symbol.asyncDispose]: () => server.stop(),
    });
  },
});

testSource({
  name: "file",
  trouble: /members\.json: no such file$/,
  pauses: [250, 250, 250, 250],
  rig: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/members.json`;
    return {
      source: ({ pause }) => fileSource({ path, parse: (text) => parseList(JSON.parse(text)), pause }),
      set: (addresses) => Deno.writeTextFile(path, JSON.stringify(addresses)),
      hide: () => Deno.remove(path),
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
});

testSource({
  name: "http",
  trouble: /^cannot ask http:\/\/127\.0\.0\.1:\d+\/members: connection refused$/,
  pauses: [1_000, 2_000, 4_000, 8_000],
  rig: () => {
    const port = refusedPort();
    let server: Deno.HttpServer | undefined;
    let list: readonly string[] = [];
    const hide = async (): Promise<void> => {
      await server?.shutdown();
      server = undefined;
    };
    return Promise.resolve({
      source: ({ pause }) => {
        const url = `http://127.0.0.1:${port}/members`;
        return httpSource({ url, ca: undefined, parse: parseList, refreshMs: undefined, pause });
      },
      set: (addresses) => {
        list = addresses;
        server ??= Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, () => Response.json(list));
        return Promise.resolve();
      },
      hide,
      [Symbol.asyncDispose]: hide,
    });
  },
});

testSource({
  name: "etcd",
  needs: [ETCD],
  trouble: /^(cannot ask )?http:\/\/127\.0\.0\.1:\d+(: connection refused| has ended the watch|: .*)$/,
  pauses: [1_000, 2_000, 4_000, 8_000],
  rig: () => {
    const etcd = new Etcd();
    let isRunning = false;
    let known: readonly string[] = [];
    return Promise.resolve({
      source: ({ pause }) => {
        return etcdSource({ endpoints: [etcd.endpoint], prefix: "/web/", parse: parseMember, pause });
      },
      set: async (addresses) => {
        if (!isRunning) await etcd.start();
        isRunning = true;
        const gone = known.filter((it) => !addresses.includes(it));
        const added = addresses.filter((it) => !known.includes(it));
        known = addresses;
        await Promise.all([
          ...gone.map((it) => etcd.delete(`/web/${it}`)),
          ...added.map((it) => etcd.put(`/web/${it}`, it)),
        ]);
      },
      hide: async () => {
        await etcd.stop();
        isRunning = false;
      },
      [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
    });
  },
});
