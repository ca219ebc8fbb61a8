// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The configurations of docs/tls.md do what the text beside them says. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { type Balancer, startBalancer } from "../../lib/control/balancer.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startMirror } from "../support/backend.ts";
import { ask, askUntilGone, bytes, joined, text } from "../support/bytes.ts";
import { memoryLog } from "../support/memory_log.ts";
import { onEachEngine } from "../support/engines.ts";
import { alpn, hello, serverName } from "../wire/hello_builder.ts";

const markdown = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));
const CONFIGURATIONS = [...markdown.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

interface Running extends AsyncDisposable {
  /** Of the listeners, in their order. */
  readonly ports: readonly number[];
}

/** Runs the configuration that has this line, on ports of this machine; each backend says its address before it echoes. */
async function run(engine: string, line: string): Promise<Running> {
  let yaml = CONFIGURATIONS.find((it) => it.includes(line)) ?? assert.fail(`nothing has ${line}`);
  const mirrors = [...new Set(yaml.match(/10\.0\.\d\.\d:\d+/g))].map((address) => {
    return { address, mirror: startMirror({ says: `${address} ` }) };
  });
  for (const { address, mirror } of mirrors) yaml = yaml.replaceAll(address, mirror.address);
  yaml = yaml.replace(/listen: "?:\d+"?/g, 'listen: "127.0.0.1:0"').replace("10.0.0.0/24", "127.0.0.1");
  const config = parseConfig(yaml.concat(`workers: 1\nengine: ${engine}\n`), "docs/tls.md");
  const balancer: Balancer = await startBalancer({ config, log: memoryLog().log });
  return {
    ports: balancer.addresses.map((it) => Number(it.split(":").at(-1))),
    [Symbol.asyncDispose]: async () => {
      await balancer.stop();
      await Promise.all(mirrors.map(({ mirror }) => mirror.stop()));
    },
  };
}

/** The backend that an answer comes from, by the address that it has in the document. */
function backendOf(answer: Uint8Array): string {
  return text(answer).split(" ")[0] ?? "";
}

onEachEngine(
  "docs/tls.md: routes lead to the pools that they name, and the rest is refused",
  async (engine) => {
    await using running = await run(engine, "routes:");
    const [port = 0] = running.ports;
    const api = backendOf(await ask(port, hello(serverName("api.example.com"), alpn("h2", "http/1.1"))));
    assert.match(api, /^10\.0\.0\.[12]:8443$/);
    assert.equal(
      backendOf(await ask(port, hello(serverName("API.example.com."), alpn("h2")))),
      api,
      "maglev",
    );
    for (
      const said of [hello(serverName("api.example.com")), hello(serverName("www.example.com"), alpn("h2"))]
    ) {
      assert.match(backendOf(await ask(port, said)), /^10\.0\.0\.[34]:443$/);
    }
    for (const said of [hello(serverName("example.com")), hello(), bytes("GET / HTTP/1.1\r\n\r\n")]) {
      assert.equal((await askUntilGone(port, said)).length, 0);
    }
  },
);

onEachEngine("docs/tls.md: protocols that begin TLS later have a port each", async (engine) => {
  await using running = await run(engine, "5433");
  const sslRequest = Uint8Array.of(0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f);
  const found = await Promise.all(running.ports.map(async (port) => backendOf(await ask(port, sslRequest))));
  assert.deepEqual(found, ["10.0.0.1:5432", "10.0.0.2:5432", "10.0.0.3:3306"]);
});

onEachEngine("docs/tls.md: the client of a PROXY header is passed on to the backend", async (engine) => {
  await using running = await run(engine, "proxy_protocol:");
  const [port = 0] = running.ports;
  const header = bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 80\r\n");
  const answer = await ask(port, joined([header, bytes("hello")]));
  const said = readProxyHeader(answer.subarray(backendOf(answer).length + 1));
  assert.deepEqual(typeof said === "object" && "source" in said && said.source, {
    transport: "tcp",
    host: "192.0.2.1",
    port: 56_324,
  });
});
