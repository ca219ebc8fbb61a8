/** A machine with few local ports, which long sessions use up. */

import assert from "node:assert/strict";
import { Namespace, skipped } from "../support/namespace.ts";
import { ENGINES } from "../support/engines.ts";

/** Opens sessions until one is not answered, then says so; after SIGUSR1 it waits for the answer all the same. */
const CLIENTS = `
import signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
path, held = sys.argv[1], []
while len(held) < 40:
    s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect(path); s.sendall(b"x")
    held.append(s)
    try: s.recv(1)
    except TimeoutError: break
print("served", len(held) - 1, flush=True)
signal.sigwait([signal.SIGUSR1])
held[-1].settimeout(10)
print("then", held[-1].recv(1), flush=True)
alive = 0
for s in held:
    s.settimeout(10); s.sendall(b"y"); alive += s.recv(1) == b"y"
print("alive", alive == len(held), flush=True)
`;

for (const engine of ENGINES) {
  Deno.test({
    name: `a session waits for a local port, and its backend is not blamed (${engine})${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      // A Unix socket: clients need no ports.
      await Deno.writeTextFile(
        `${folder}/b.yaml`,
        `listeners: [{ name: web, listen: "unix:${folder}/in.sock", pool: p }]
pools:
  p:
    backends: ["127.0.0.1:9001"]
    dial_timeout: 1m
    health_check: { interval: 100ms, timeout: 1s, fall: 1 }
    on_backend_down: close
`,
      );
      await Deno.writeTextFile(`${folder}/clients.py`, CLIENTS);
      await using space = await Namespace.make(
        'echo "40001 40012" > /proc/sys/net/ipv4/ip_local_port_range',
      );
      await using server = space.sockbal("--role", "server", "--listen", "127.0.0.1:9001");
      await server.sees(/ ready /);
      await using balancer = space.balancer(engine, `${folder}/b.yaml`);
      await balancer.sees(/ ready /);
      await using clients = space.start(["python3", `${folder}/clients.py`, `${folder}/in.sock`]);
      await clients.sees(/served \d+/, "stdout");
      await balancer.sees(/ dials_short pool=p backend=127\.0\.0\.1:9001 .*reason="no local port left"/);
      await balancer.sees(/ checks_short pool=p backend=127\.0\.0\.1:9001 reason="no local port left"/);
      const more = await space.run('echo "40001 40100" > /proc/sys/net/ipv4/ip_local_port_range');
      assert.equal(more.status, 0, more.stderr);
      clients.kill("SIGUSR1");
      const { stdout } = await clients.finished;
      assert.match(stdout, /then b'x'\nalive True\n$/);
      balancer.kill("SIGTERM");
      const { stderr } = await balancer.finished;
      assert.doesNotMatch(stderr, / backend_down | backend_ejected | end=(?!done)/);
      await Deno.remove(folder, { recursive: true });
    },
  });
}
