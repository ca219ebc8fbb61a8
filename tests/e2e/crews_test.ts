// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Listeners that open TLS beside others that do not: with the engine epoll they have workers of the engine runtime. */

import assert from "node:assert/strict";
import { startBalancer } from "../../lib/control/balancer.ts";
import { type Config, configSchema } from "../../lib/config/schema.ts";
import { startNamedBackend } from "../support/backend.ts";
import { text } from "../support/bytes.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import { onEachEngine } from "../support/engines.ts";
import { memoryLog } from "../support/memory_log.ts";
import { shownTo } from "../support/tls_client.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Ports {
  readonly plain: number;
  readonly tls: number;
}

/** One listener that passes on and one that opens TLS. */
function configOf(
  engine: "runtime" | "epoll",
  pair: { readonly cert: string; readonly key: string },
  backend: string,
  { plain, tls }: Ports = { plain: 0, tls: 0 },
  more: Record<string, unknown> = {},
): Config {
  return {
    ...configSchema.parse({
      engine,
      workers: 2,
      listeners: [
        { name: "plain", listen: `127.0.0.1:${plain}`, pool: "web", ...more },
        { name: "tls", listen: `127.0.0.1:${tls}`, pool: "web", tls: { certificates: [pair] } },
      ],
      pools: { web: { backends: [backend] } },
    }),
    notes: [],
  };
}

async function answerAt(port: number): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new Uint8Array([10]));
  await conn.closeWrite();
  return text(new Uint8Array(await new Response(conn.readable).arrayBuffer()));
}

if (!noOpenssl.ignore) {
  onEachEngine(
    "listeners with and without TLS run side by side, on ports that the system chose, and through reloads",
    async (engine) => {
      await inFolder(async (folder) => {
        const pair = await makeCertificate(folder, "one");
        await using backend = startNamedBackend("a");
        const { log, events } = memoryLog();
        const balancer = await startBalancer({ config: configOf(engine, pair, backend.member.address), log });
        try {
          const [plain = 0, tls = 0] = balancer.addresses.map((it) => Number(it.split(":").at(-1)));
          const ready = events.find(({ event }) => event === "ready")?.fields;
          if (engine === "epoll") {
            assert.match(
              String(ready?.not_confined_by),
              /workers that open TLS have the permissions of the runtime alone$/,
            );
            assert.notEqual(ready?.confined, "none");
          } else assert.equal(ready?.confined, "permissions");
          for (const idle_timeout of ["1m", "2m"]) {
            assert.match(await answerAt(plain), /^a/);
            assert.equal(await shownTo(tls), "one.example");
            const next = configOf(engine, pair, backend.member.address, { plain, tls }, { idle_timeout });
            assert.equal(await balancer.reload(next), "replaced");
          }
          assert.match(await answerAt(plain), /^a/);
          assert.equal(await shownTo(tls), "one.example");
        } finally {
          await balancer.stop();
        }
      });
    },
  );

  onEachEngine(
    "with epoll a reload neither begins nor ceases to open TLS at an address, and says so",
    async (engine) => {
      await inFolder(async (folder) => {
        const pair = await makeCertificate(folder, "one");
        await using backend = startNamedBackend("a");
        const balancer = await startBalancer({
          config: configOf(engine, pair, backend.member.address),
          log: memoryLog().log,
        });
        try {
          const [plain = 0, tls = 0] = balancer.addresses.map((it) => Number(it.split(":").at(-1)));
          const swapped = configOf(engine, pair, backend.member.address, { plain: tls, tls: plain });
          if (engine === "runtime") {
            assert.equal(await balancer.reload(swapped), "replaced");
            assert.equal(await shownTo(plain), "one.example");
          } else {
            await assert.rejects(
              balancer.reload(swapped),
              /cannot (begin|cease) to open TLS at 127\.0\.0\.1:\d+; this needs a restart/,
            );
            assert.equal(await shownTo(tls), "one.example");
          }
        } finally {
          await balancer.stop();
        }
      });
    },
  );
}
