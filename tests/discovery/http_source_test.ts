import assert from "node:assert/strict";
import { httpSource } from "../../lib/discovery/http_source.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import { until } from "../support/balancer.ts";
import { FastClock, Followed, parseList } from "./followed.ts";

type Handler = (request: Request) => Response | Promise<Response>;

function serve(handler: Handler, tls: { cert?: string; key?: string } = {}): Deno.HttpServer<Deno.NetAddr> {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls };
  return Deno.serve(options as Deno.ServeTcpOptions, handler);
}

function follow(server: Deno.HttpServer<Deno.NetAddr>, scheme = "http", ca?: string): Followed {
  const url = `${scheme}://127.0.0.1:${server.addr.port}/`;
  const { pause } = new FastClock();
  return new Followed(httpSource({ url, ca, parse: parseList, refreshMs: 1_000, pause }));
}

Deno.test("what has not changed is not sent again", async () => {
  const asked: (string | null)[] = [];
  await using server = serve((request) => {
    const known = request.headers.get("if-none-match");
    asked.push(known);
    if (known === '"1"') return new Response(null, { status: 304 });
    return Response.json(["10.0.0.1:80"], { headers: { etag: '"1"' } });
  });
  await using followed = follow(server);
  await until(() => followed.found.length >= 3, "it was asked three times");
  assert.deepEqual(asked.slice(0, 3), [null, '"1"', '"1"']);
  assert.deepEqual(followed.addresses, ["10.0.0.1:80"]);
});

const REFUSED: [string, () => Response, RegExp][] = [
  ["a status", () => new Response("no", { status: 503 }), /: it answers with status 503$/],
  [
    "another place",
    () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    /: it answers with status 302$/,
  ],
  ["no JSON", () => new Response("<html>"), /: the answer is no JSON$/],
  ["no list", () => Response.json({ backends: [] }), /^there is no list$/],
  ["no UTF-8", () => new Response(Uint8Array.of(0x5b, 0xff)), /: the answer is not UTF-8 text$/],
  [
    "too many members",
    () => Response.json(Array.from({ length: 10_001 }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`)),
    /^there are more than 10000 members/,
  ],
  ["an answer that never ends", () =>
    new Response(
      new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(100_000).fill(32)) }),
    ), /: the answer is larger than 8 MiB$/],
];
for (const [what, answer, sentence] of REFUSED) {
  Deno.test(`${what} for an answer is refused with a sentence, and the last members stay`, async () => {
    let isGood = true;
    await using server = serve(() => isGood ? Response.json(["10.0.0.1:80"]) : answer());
    await using followed = follow(server);
    await followed.sees("10.0.0.1:80");
    isGood = false;
    assert.match(await followed.trouble(), sentence);
    assert.deepEqual(followed.addresses, ["10.0.0.1:80"]);
    isGood = true;
    const told = followed.found.length;
    await until(() => followed.found.length > told, "it is told of again");
  });
}

Deno.test({
  name: `by TLS, the server needs a certificate of the authority that is named${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const authority = await makeCertificate(folder, "authority", { isAuthority: true });
    const files = await makeCertificate(folder, "server", { names: ["IP:127.0.0.1"], issuer: authority });
    const [cert, key] = [await Deno.readTextFile(files.cert), await Deno.readTextFile(files.key)];
    await using server = serve(() => Response.json(["10.0.0.1:80"]), { cert, key });
    {
      await using followed = follow(server, "https", authority.cert);
      await followed.sees("10.0.0.1:80");
    }
    {
      await using stranger = follow(server, "https");
      assert.match(await stranger.trouble(), /its certificate is refused: UnknownIssuer$/);
    }
    await Deno.remove(folder, { recursive: true });
  },
});
