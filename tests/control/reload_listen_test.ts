// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Reloads that change where a listener listens, on a port where this program listens already. */

import assert from "node:assert/strict";
import type { Config } from "../../lib/config/schema.ts";
import { parseListenAddress, parseStreamListenAddress } from "../../lib/core/address.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, testConfig } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";

/** One listener for each of these. */
function config(backend: Record<string, unknown>, listens: readonly string[], admin?: string): Config {
  const base = testConfig({ backends: [backend], workers: 1 });
  const [web] = base.listeners;
  assert.ok(web !== undefined);
  return {
    ...base,
    listeners: listens.map((listen, i) => ({ ...web, name: `l${i}`, listen: parseListenAddress(listen) })),
    admin: admin === undefined
      ? undefined
      : { listen: parseStreamListenAddress(admin), tokenFile: undefined },
  };
}

onEachEngine(
  "a reload to an address that overlaps our own listener says so, and changes nothing",
  async (engine) => {
    await using a = startNamedBackend("a");
    const port = refusedPort();
    const changes: [string, string, string][] = [
      [`127.0.0.1:${port}`, `:${port}`, `127.0.0.1:${port}`],
      [`:${port}`, `127.0.0.1:${port}`, `[::]:${port}`],
      [`0.0.0.0:${port}`, `[::]:${port}`, `0.0.0.0:${port}`],
      [`[::]:${port}`, `0.0.0.0:${port}`, `[::]:${port}`],
      [`[::1]:${port}`, `[::]:${port}`, `[::1]:${port}`],
    ];
    for (const [from, to, held] of changes) {
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member],
        listener: { name: "l0", listen: from },
      });
      await assert.rejects(balancer.balancer.reload(config(a.member, [to])), {
        name: "RunError",
        message:
          `cannot listen on ${to}: port ${port} is in use, by listener "l0" of this program on ${held}; ` +
          "a change from there to here needs a restart",
      });
      assert.equal(balancer.balancer.generations.started, 1);
      if (held.startsWith("127")) assert.equal(await visit(port), "a");
    }
  },
);

onEachEngine(
  "a reload that spells the address anew, swaps two, or adds one beside it loses no connection",
  async (engine) => {
    await using a = startNamedBackend("a");
    const [one, two] = [refusedPort(), refusedPort()];
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      listener: { name: "l0", listen: `127.0.0.1:${one}` },
    });
    const steps: string[][] = [
      [`127.0.0.1:${one}`, `127.0.0.1:${two}`],
      [`127.0.0.1:${two}`, `127.0.0.1:${one}`],
      [`127.0.0.1:${one}`, `127.0.0.2:${one}`],
      [`[::ffff:127.0.0.1]:${one}`],
      [`127.0.0.1:${one}`],
    ];
    let isOver = false;
    let served = 0;
    const load = (async () => {
      while (!isOver) {
        assert.equal(await visit(one), "a");
        served++;
      }
    })();
    for (const step of steps) {
      const before = served;
      await balancer.balancer.reload(config(a.member, step));
      while (served <= before) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    isOver = true;
    await load;
  },
);

onEachEngine("all addresses may be spelled as the host that they are", async (engine) => {
  await using a = startNamedBackend("a");
  const port = refusedPort();
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member],
    listener: { name: "l0", listen: `:${port}` },
  });
  for (const listen of [`[::]:${port}`, `:${port}`]) {
    await balancer.balancer.reload(config(a.member, [listen]));
    assert.equal(await visit(port), "a");
  }
});

onEachEngine("two listeners of a reload on one address are told from one that has moved", async (engine) => {
  await using a = startNamedBackend("a");
  const port = refusedPort();
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member],
    listener: { name: "l0", listen: `127.0.0.1:${port}` },
  });
  await assert.rejects(balancer.balancer.reload(config(a.member, [`127.0.0.1:${port}`, `:${port}`])), {
    message:
      `cannot listen on :${port}: port ${port} is in use, by listener "l0" of this program on 127.0.0.1:${port}`,
  });
  assert.equal(await visit(port), "a");
});

onEachEngine("a listener that wants the address of the admin page is told whose it is", async (engine) => {
  await using a = startNamedBackend("a");
  using admin = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = admin.addr;
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  const listen = `127.0.0.1:${balancer.port}`;
  await balancer.balancer.reload(config(a.member, [listen], `127.0.0.1:${port}`));
  for (const [wanted, next] of [[`127.0.0.1:${port}`, undefined], [`:${port}`, "127.0.0.1:9"]] as const) {
    await assert.rejects(balancer.balancer.reload(config(a.member, [listen, wanted], next)), {
      message: `cannot listen on ${wanted}: port ${port} is in use, by the admin page of this program on ` +
        `127.0.0.1:${port}; a change from there to here needs a restart`,
    });
  }
});
