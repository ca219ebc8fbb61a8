/** The programs under measurement, each in front of the same backends, with the same number of threads. */

import { find } from "./processes.ts";

/** Ports of one proxy, by what goes there. */
export interface Ports {
  readonly requests: number;
  readonly bulk: number;
  /** Requests behind a PROXY header, which backends get a new one for. */
  readonly introduced: number;
  /** TLS that goes by the name in its ClientHello. */
  readonly named: number;
  /** The same TLS, as any bytes. */
  readonly tls: number;
  /** TLS that ends at the proxy, before plain requests. */
  readonly ended: number;
  /** The same before bulk data. */
  readonly endedBulk: number;
  /** Datagrams, over UDP. */
  readonly datagrams: number;
  /** The same, where each is a question that has one answer, which ends the flow. */
  readonly questions: number;
}

export interface Backends {
  readonly requests: readonly number[];
  readonly bulk: number;
  /** They expect a PROXY header. */
  readonly introduced: readonly number[];
  readonly tls: readonly number[];
  /** Sends without end to each client. */
  readonly chargen: number;
  /** Sends each datagram back. */
  readonly datagrams: number;
}

/** What TLS asks for that goes by its name. */
export const SERVER_NAME = "localhost";

export interface ProxyPlan {
  readonly ports: Ports;
  readonly backends: Backends;
  readonly threads: number;
  /** A folder for configuration files. */
  readonly folder: string;
  /** A certificate with its key; undefined where no TLS can end. */
  readonly pem: string | undefined;
}

export interface Proxy {
  readonly name: string;
  /** The Debian packages that bring it. */
  readonly packages: string;
  /** Whether it also serves the ports that are not for plain requests and bulk data. */
  readonly looksInside: boolean;
  /** Whether it serves the ports for datagrams. */
  readonly hasDatagrams: boolean;
  /** Commands to start it with; undefined when it is not installed. More than one where it serves one port a process. */
  command(plan: ProxyPlan): Promise<readonly (readonly string[])[] | undefined>;
}

/** How a program of ours is run, as `deno task sockbal` does. */
export const DENO_RUN: readonly string[] = [
  ...["deno", "run", "--no-prompt", "--v8-flags=--max-semi-space-size=4", "--allow-net", "--allow-read"],
];

const root = new URL("../", import.meta.url).pathname;

/** A program of the bench itself, with its arguments. */
export function benchProgram(file: string, ...args: readonly (string | number)[]): readonly string[] {
  return ["deno", "run", "--no-prompt", "--allow-ffi", `${root}bench/${file}`, ...args.map(String)];
}

/** Flows that rest for so long end, so that a proxy that is stopped does not wait for them. */
const FLOW_IDLE = "5s";

/** Sessions at once; twice as many descriptors must fit into the usual limit of 20,000. */
const MAX_SESSIONS = 9_500;

/** sockbal with one of its engines, by whose name it goes. */
function sockbal(engine: "epoll" | "runtime"): Proxy {
  return {
    name: engine,
    packages: "",
    looksInside: true,
    hasDatagrams: true,
    command: async ({ ports, backends, threads, folder, pem }) => {
      const file = `${folder}/${engine}.yaml`;
      const ending = (port: number, pool: string): string =>
        pem === undefined ? "" : `
  - { listen: 127.0.0.1:${port}, pool: ${pool}, tls: { certificates: [{ cert: ${pem}, key: ${pem} }] } }`;
      const list = (targets: readonly number[]): string =>
        targets.map((port) => `127.0.0.1:${port}`).join(", ");
      await Deno.writeTextFile(
        file,
        `listeners:
  - { listen: 127.0.0.1:${ports.requests}, pool: requests }
  - { listen: 127.0.0.1:${ports.bulk}, pool: bulk }
  - { listen: 127.0.0.1:${ports.introduced}, pool: introduced, proxy_protocol: { from: [127.0.0.1] } }
  - { listen: 127.0.0.1:${ports.named}, routes: [{ sni: ${SERVER_NAME}, pool: tls }] }
  - { listen: 127.0.0.1:${ports.tls}, pool: tls }
  - { listen: "udp:127.0.0.1:${ports.datagrams}", pool: datagrams, idle_timeout: ${FLOW_IDLE} }
  - { listen: "udp:127.0.0.1:${ports.questions}", pool: datagrams, idle_timeout: ${FLOW_IDLE}, responses: 1 }${
          ending(ports.ended, "requests")
        }${ending(ports.endedBulk, "chargen")}
pools:
  requests: { backends: [${list(backends.requests)}] }
  bulk: { backends: [${list([backends.bulk])}] }
  introduced: { backends: [${list(backends.introduced)}], send_proxy_protocol: v2 }
  tls: { backends: [${list(backends.tls)}] }
  chargen: { backends: [${list([backends.chargen])}] }
  datagrams: { backends: [${list([backends.datagrams])}] }
log: { sessions: false }
engine: ${engine}
workers: ${threads}
`,
      );
      const program = Deno.env.get("SOCKBAL")?.split(" ") ??
        [...DENO_RUN, ...(engine === "epoll" ? ["--allow-ffi"] : []), `${root}main.ts`];
      return [[...program, "--role", "balancer", "--config", file]];
    },
  };
}

const bare: Proxy = {
  name: "bare",
  packages: "",
  looksInside: false,
  hasDatagrams: false,
  command: ({ ports, backends, threads }) => {
    const services = [
      `${ports.requests}=1024=${backends.requests}`,
      `${ports.bulk}=65536=${backends.bulk}`,
    ];
    return Promise.resolve([[...DENO_RUN, `${root}bench/bare_relay.ts`, `${threads}`, ...services]]);
  },
};

const haproxy: Proxy = {
  name: "haproxy",
  packages: "haproxy",
  looksInside: true,
  hasDatagrams: false,
  command: async ({ ports, backends, threads, folder, pem }) => {
    const program = await find("haproxy");
    if (program === undefined) return undefined;
    const file = `${folder}/haproxy.cfg`;
    const servers = (targets: readonly number[], option = ""): string =>
      targets.map((port, i) => `  server s${i} 127.0.0.1:${port} ${option}`).join("\n");
    await Deno.writeTextFile(
      file,
      `global
  nbthread ${threads}
  maxconn ${MAX_SESSIONS}
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen requests
  bind 127.0.0.1:${ports.requests} backlog 4096
  balance roundrobin
${servers(backends.requests)}
listen bulk
  bind 127.0.0.1:${ports.bulk}
  server s 127.0.0.1:${backends.bulk}
listen introduced
  bind 127.0.0.1:${ports.introduced} backlog 4096 accept-proxy
  balance roundrobin
${servers(backends.introduced, "send-proxy-v2")}
frontend named
  bind 127.0.0.1:${ports.named} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend tls if { req.ssl_sni -i ${SERVER_NAME} }
backend tls
  balance roundrobin
${servers(backends.tls)}
frontend tls
  bind 127.0.0.1:${ports.tls} backlog 4096
  default_backend tls
${
        pem === undefined ? "" : `listen ended
  bind 127.0.0.1:${ports.ended} backlog 4096 ssl crt ${pem}
  balance roundrobin
${servers(backends.requests)}
listen endedbulk
  bind 127.0.0.1:${ports.endedBulk} ssl crt ${pem}
${servers([backends.chargen])}`
      }
`,
    );
    return [[program, "-db", "-f", file]];
  },
};

const nginx: Proxy = {
  name: "nginx",
  packages: "nginx libnginx-mod-stream",
  looksInside: false,
  hasDatagrams: true,
  command: async ({ ports, backends, threads, folder }) => {
    const program = await find("nginx");
    const module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if (program === undefined || !await isFile(module)) return undefined;
    const file = `${folder}/nginx.conf`;
    await Deno.writeTextFile(
      file,
      `load_module ${module};
daemon off;
pid ${folder}/nginx.pid;
error_log /dev/null;
worker_processes ${threads};
events { worker_connections ${2 * MAX_SESSIONS}; }
stream {
  upstream requests { ${backends.requests.map((port) => `server 127.0.0.1:${port};`).join(" ")} }
  upstream bulk { server 127.0.0.1:${backends.bulk}; }
  server { listen 127.0.0.1:${ports.requests} backlog=4096; proxy_pass requests; }
  server { listen 127.0.0.1:${ports.bulk}; proxy_pass bulk; }
  server {
    listen 127.0.0.1:${ports.datagrams} udp reuseport rcvbuf=1m;
    proxy_timeout ${FLOW_IDLE};
    proxy_pass 127.0.0.1:${backends.datagrams};
  }
  server {
    listen 127.0.0.1:${ports.questions} udp reuseport rcvbuf=1m;
    proxy_timeout ${FLOW_IDLE};
    proxy_responses 1;
    proxy_pass 127.0.0.1:${backends.datagrams};
  }
}
`,
    );
    return [[program, "-c", file]];
  },
};

const pen: Proxy = {
  name: "pen",
  packages: "pen",
  looksInside: false,
  hasDatagrams: false,
  command: async ({ ports, backends }) => {
    const program = await find("pen");
    if (program === undefined) return undefined;
    // One process with one thread for each port: pen has no threads.
    const serve = (port: number, targets: readonly number[]): string[] => {
      const limits = ["-c", "100", "-x", String(MAX_SESSIONS), "-T", "600"];
      return [program, "-f", "-r", ...limits, `127.0.0.1:${port}`, ...targets.map((it) => `127.0.0.1:${it}`)];
    };
    return [serve(ports.requests, backends.requests), serve(ports.bulk, [backends.bulk])];
  },
};

/** In the order of the table. */
export const PROXIES: readonly Proxy[] = [haproxy, sockbal("epoll"), sockbal("runtime"), bare, nginx, pen];

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
