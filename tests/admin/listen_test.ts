// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { RunningCommand } from "../support/command.ts";
import { until } from "../support/balancer.ts";
import { fakeListener, FakeOperations, fakeStatus } from "./fake_operations.ts";
import { type Answer, connectTo, request } from "./http_client.ts";
import { startTestAdmin } from "./test_admin.ts";

const HEALTH = { path: "/healthz" };

Deno.test("the admin side listens on any kind of TCP address and says where", async () => {
  for (
    const [listen, address] of [
      ["127.0.0.1:0", /^127\.0\.0\.1:\d+$/],
      ["localhost:0", /^localhost:\d+$/],
      ["[::1]:0", /^\[::1\]:\d+$/],
      [":0", /^\[::\]:\d+$|^0\.0\.0\.0:\d+$/],
    ] as const
  ) {
    await using admin = await startTestAdmin({ listen });
    assert.match(admin.address, address);
    assert.ok(!admin.address.endsWith(":0"));
    assert.equal((await admin.ask(HEALTH)).status, 200);
    assert.deepEqual(admin.log.events, [
      { level: "info", event: "admin_listening", fields: { address: admin.address } },
    ]);
  }
});

Deno.test("a port that is taken, and an address that is not ours, are told in one sentence", async () => {
  await using admin = await startTestAdmin();
  const port = admin.address.split(":")[1];
  await assert.rejects(startTestAdmin({ listen: admin.address }), {
    name: "RunError",
    message:
      `the admin page cannot listen on 127.0.0.1:${port}: port ${port} is in use, by another program or by a listener`,
  });
  await assert.rejects(startTestAdmin({ listen: "203.0.113.1:0" }), {
    name: "RunError",
    message: "the admin page cannot listen on 203.0.113.1:0: this machine has no such address",
  });
  assert.equal((await admin.ask(HEALTH)).status, 200);
});

Deno.test("a listener of the balancer that is in the way is named", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const operations = new FakeOperations();
  const front = { ...fakeListener("front", "web"), address: `[::1]:9, 127.0.0.1:${port}` };
  operations.statusNow = fakeStatus({ listeners: [front] });
  for (const listen of [`127.0.0.1:${port}`, `0.0.0.0:${port}`, `:${port}`]) {
    await assert.rejects(startTestAdmin({ listen, operations, token: "0123456789abcdef" }), {
      name: "RunError",
      message: `the admin page cannot listen on ${listen}: port ${port} is in use, ` +
        `by listener "front" of this program on 127.0.0.1:${port}`,
    });
  }
});

Deno.test("after a stop the port is free, nobody answers, and a second stop is no harm", async () => {
  const admin = await startTestAdmin();
  using idle = await connectTo(admin.address);
  await Promise.all([admin.stop(), admin.stop()]);
  await admin.stop();
  await assert.rejects(request(admin.address, HEALTH), Deno.errors.ConnectionRefused);
  await using again = await startTestAdmin({ listen: admin.address });
  assert.equal((await again.ask(HEALTH)).status, 200);
  // A connection without a request was not waited for.
  assert.equal(await idle.read(new Uint8Array(1)), null);
});

Deno.test("a request under way is finished before the end, and one that never ends is not waited for", async () => {
  const admin = await startTestAdmin();
  const reloading = Promise.withResolvers<void>();
  admin.operations.reload = async () => {
    await reloading.promise;
    return { ok: true, message: "Late." };
  };
  const answer = admin.ask({ method: "POST", path: "/api/reload" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const stopped = admin.stop();
  assert.equal((await admin.ask(HEALTH)).status, 503);
  reloading.resolve();
  assert.equal((await answer).status, 200);
  await stopped;

  const other = await startTestAdmin();
  other.operations.reload = () => new Promise(() => {});
  const endless = other.ask({ method: "POST", path: "/api/reload" }).then(() => {}, () => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  const begin = performance.now();
  await other.stop();
  assert.ok(performance.now() - begin < 2_000);
  await endless;
});

Deno.test("on a Unix socket everything works, and the file is gone after the stop", async () => {
  const folder = await Deno.makeTempDir();
  const listen = `unix:${folder}/admin.sock`;
  const admin = await startTestAdmin({ listen });
  assert.equal(admin.address, listen);
  for (const path of ["/", "/api/status", "/healthz", "/metrics"]) {
    assert.equal((await admin.ask({ path })).status, 200);
  }
  assert.equal((await admin.ask({ method: "POST", path: "/api/reload" })).status, 200);
  await assert.rejects(startTestAdmin({ listen }), {
    name: "RunError",
    message:
      `the admin page cannot listen on ${listen}: the path is in use: another program listens there, or it is no socket; --take-over takes the place of a balancer there`,
  });
  await admin.stop();
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  await Deno.remove(folder);
});

Deno.test("the file of its Unix socket has the mode and the group that are written, and nothing is left of a try", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/admin.sock`;
  const listen = `unix:${path}`;
  const group = Deno.uid() === 0 ? 1 : Deno.gid() ?? 0;
  const admin = await startTestAdmin({ listen, file: { mode: 0o660, group } });
  const { mode, gid } = await Deno.lstat(path);
  assert.deepEqual([(mode ?? 0) & 0o777, gid], [0o660, group]);
  assert.equal((await admin.ask(HEALTH)).status, 200);
  await assert.rejects(startTestAdmin({ listen, file: { mode: 0o600, group: undefined } }), {
    message:
      /the path is in use: another program listens there, or it is no socket; --take-over takes the place of a balancer there$/,
  });
  assert.equal(((await Deno.lstat(path)).mode ?? 0) & 0o777, 0o660);
  await admin.stop();
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  await Deno.mkdir(path);
  await assert.rejects(startTestAdmin({ listen, file: { mode: 0o600, group: undefined } }), {
    message: /or it is no socket; /,
  });
  await Deno.remove(path);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  await Deno.remove(folder);
});

Deno.test("a socket that a crashed program left behind is taken over, any other file is not", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/admin.sock`;
  const crash = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL");`;
  await using crashed = new RunningCommand([Deno.execPath(), "eval", crash]);
  await crashed.finished;
  assert.ok((await Deno.lstat(path)).isSocket);
  {
    await using admin = await startTestAdmin({ listen: `unix:${path}` });
    assert.equal((await admin.ask(HEALTH)).status, 200);
  }
  await Deno.writeTextFile(path, "precious");
  await assert.rejects(startTestAdmin({ listen: `unix:${path}` }), {
    name: "RunError",
    message: /or it is no socket; /,
  });
  assert.equal(await Deno.readTextFile(path), "precious");
  await assert.rejects(startTestAdmin({ listen: `unix:${folder}/no/such.sock` }), {
    message: /: there is no such folder$/,
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the environment cannot move the admin side to another address", async () => {
  const program = `
    import { startTestAdmin } from ${JSON.stringify(new URL("test_admin.ts", import.meta.url).href)};
    await startTestAdmin().then(({ address }) => console.log(address));
    Deno.exit();
  `;
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/moved.ts`, program);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  await using moved = new RunningCommand(
    [Deno.execPath(), "run", "--config", config, "--allow-net=127.0.0.1,127.0.0.2", `${folder}/moved.ts`],
    { env: { DENO_SERVE_ADDRESS: "tcp:127.0.0.2:0" } },
  );
  const { stdout } = await moved.finished;
  assert.match(stdout, /^127\.0\.0\.1:\d+\n$/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("connections are bounded: those that ask for nothing make room, and a newcomer is answered", async () => {
  await using admin = await startTestAdmin({ maxConnections: 8 });
  const idle = await Promise.all(Array.from({ length: 30 }, () => connectTo(admin.address)));
  assert.equal((await admin.ask(HEALTH)).status, 200);
  const left: Deno.Conn[] = [];
  for (const conn of idle) {
    const gone = await Promise.race([
      conn.read(new Uint8Array(1)).then(() => true, () => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 20)),
    ]);
    if (!gone) left.push(conn);
  }
  assert.ok(left.length < 8, `${left.length} are left`);
  for (const conn of idle) conn.close();
});

Deno.test("a connection whose request is under way is not closed for a newcomer", async () => {
  await using admin = await startTestAdmin({ maxConnections: 2 });
  const reloads: PromiseWithResolvers<void>[] = [];
  admin.operations.reload = async () => {
    const reload = Promise.withResolvers<void>();
    reloads.push(reload);
    await reload.promise;
    return { ok: true, message: "Done." };
  };
  const ask = (): Promise<Answer> => admin.ask({ method: "POST", path: "/api/reload" });
  const answers = [ask(), ask()];
  await until(() => reloads.length === 2, "both are under way");
  // There is no room, so this one gets no answer; the other two get theirs.
  assert.equal((await admin.ask(HEALTH)).status, 0);
  for (const reload of reloads) reload.resolve();
  assert.deepEqual((await Promise.all(answers)).map((it) => it.status), [200, 200]);
  assert.equal((await admin.ask(HEALTH)).status, 200);
});
