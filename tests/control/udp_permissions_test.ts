/** What the workers of listeners on UDP may use of the network, with the engine runtime. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { clientPermissions, clientsOfSettled } from "../../lib/control/clients.ts";
import { Names } from "../../lib/control/names.ts";
import {
  permissionFlags,
  type Permissions,
  socketPermissions,
  whyNotCheckable,
  workerPermissions,
} from "../../lib/control/permissions.ts";
import { makePlan, permittedBy, type Plan } from "../../lib/control/plan.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { runCommand, sockbalWith } from "../support/command.ts";

function planOf(dns: string, pool = "backends: [127.0.0.1:5301]"): Promise<Plan> {
  const config = parseConfig(
    `listeners:
  - { name: dns, ${dns}, pool: dns }
  - { name: web, listen: "127.0.0.1:0", pool: web }
pools:
  dns: { ${pool} }
  web: { backends: [127.0.0.1:8001] }
`,
    "f",
  );
  return makePlan(config, new RowBook(new Scoreboard()), new Names());
}

/** Those of one crew. */
function permissionsOf(plan: Plan, crew: "dns" | "web", permitsSubnets = true): Permissions {
  const listeners = plan.listeners.filter(({ name }) => name === crew);
  return socketPermissions(permittedBy({ ...plan, listeners }, permitsSubnets));
}

/** What an answer of a worker says of these attempts, in their order: `yes`, or that it is not permitted. */
async function tried(permissions: Permissions, attempts: readonly string[]): Promise<string[]> {
  const script = `
    const socket = (hostname, port) => Deno.listenDatagram({ transport: "udp", hostname, port });
    const answers = [];
    for (const attempt of ${JSON.stringify(attempts)}) {
      const [what, hostname, port] = attempt.split(" ");
      try {
        if (what === "bind") socket(hostname, Number(port)).close();
        else if (what === "dial") (await Deno.connect({ hostname, port: Number(port) })).close();
        else {
          const from = socket("0.0.0.0", 0);
          try { await from.send(new Uint8Array(1), { transport: "udp", hostname, port: Number(port) }); } finally { from.close(); }
        }
        answers.push("yes");
      } catch (error) {
        answers.push(error instanceof Deno.errors.NotCapable ? "not permitted" : "yes");
      }
    }
    postMessage(answers);
  `;
  const worker = new Worker(`data:application/javascript,${encodeURIComponent(script)}`, {
    type: "module",
    deno: { permissions: workerPermissions(permissions) },
  });
  const { promise, resolve } = Promise.withResolvers<string[]>();
  worker.onmessage = ({ data }) => resolve(data);
  const answers = await promise;
  worker.terminate();
  return answers;
}

Deno.test("a worker of a listener on UDP takes datagrams, sends them to backends and clients, and can do nothing else", async () => {
  const plan = await planOf('listen: "udp:127.0.0.1:0", allow: [127.3.0.0/16]');
  const address = plan.listeners[0]?.address;
  assert.ok(address?.transport === "udp");
  const attempts: readonly (readonly [attempt: string, answer: string])[] = [
    [`bind 127.0.0.1 ${address.port}`, "yes"],
    ["bind 127.0.0.1 5302", "not permitted"],
    ["bind 0.0.0.0 0", "yes"],
    ["bind :: 0", "not permitted"],
    ["send 127.0.0.1 5301", "yes"],
    ["send 127.3.2.1 40000", "yes"],
    ["send 127.4.2.1 40000", "not permitted"],
    ["send 192.0.2.1 53", "not permitted"],
    ["dial 192.0.2.1 53", "not permitted"],
    ["bind 0.0.0.0 5302", "not permitted"],
  ];
  const answers = await tried(permissionsOf(plan, "dns"), attempts.map(([attempt]) => attempt));
  assert.deepEqual(answers, attempts.map(([, answer]) => answer));
});

Deno.test("a worker whose backends are still to come may send them datagrams within the subnets of their pool", async () => {
  const pool = "discover: { file: /nowhere }, within: ['127.9.0.0/16:5301']";
  const plan = await planOf('listen: "udp:127.0.0.1:0", allow: [127.3.0.0/16]', pool);
  const attempts = ["send 127.9.0.1 5301", "send 127.9.0.1 5302"];
  assert.deepEqual(await tried(permissionsOf(plan, "dns"), attempts), ["yes", "not permitted"]);
  assert.deepEqual(await tried(permissionsOf(plan, "web"), ["bind 0.0.0.0 0"]), ["not permitted"]);
});

Deno.test("the workers of other listeners can neither take nor send datagrams", async () => {
  const plan = await planOf('listen: "udp:127.0.0.1:0"');
  const attempts = ["bind 0.0.0.0 0", "bind 127.0.0.1 0", "send 127.0.0.1 5301"];
  assert.deepEqual(await tried(permissionsOf(plan, "web"), attempts), attempts.map(() => "not permitted"));
});

Deno.test("clients are those that are allowed, or the loopback's, or anyone; who cannot be listed has all that the program has", async () => {
  const clients = async (dns: string): Promise<readonly string[] | undefined> =>
    clientPermissions(clientsOfSettled((await planOf(dns)).listeners));
  const at = 'listen: "udp::0"';
  assert.deepEqual(await clients('listen: "udp:127.0.0.1:0"'), ["127.0.0.0/8"]);
  assert.deepEqual(await clients(`${at}, allow: [10.0.0.0/8, 192.0.2.1]`), ["10.0.0.0/8", "192.0.2.1"]);
  assert.equal(await clients(`${at}, deny: [10.0.0.0/8]`), undefined);
  assert.equal(await clients(`${at}, allow: ["2001:db8::/32"]`), undefined);
  const anyone = permissionsOf(await planOf(at), "dns");
  assert.equal(workerPermissions(anyone).net, "inherit");
  assert.deepEqual(permissionFlags(anyone), ["--allow-net"]);
  // A program with a list may give its workers no subnet.
  const narrow = permissionsOf(await planOf('listen: "udp:127.0.0.1:0"'), "dns", false);
  assert.equal(workerPermissions(narrow).net, "inherit");
});

Deno.test("a balancer that may not answer its clients does not start, and says what is missing", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    file,
    `listeners: [{ listen: "udp:0.0.0.0:0", pool: p, allow: [192.0.2.0/24] }]
pools: { p: { backends: [127.0.0.1:5301] } }
engine: runtime
`,
  );
  const flags = ["--allow-read", "--allow-net=0.0.0.0,127.0.0.1:0,127.0.0.1:5301"];
  const { status, stderr } = await runCommand([
    ...sockbalWith(flags),
    "--role",
    "balancer",
    "--config",
    file,
  ]);
  assert.equal(status, 1, stderr);
  assert.match(
    stderr,
    /: cannot listen on udp:0\.0\.0\.0:\d+: sockbal was started without permission to answer its clients \(--allow-net=192\.0\.2\.0\/24\)\n$/,
  );
  await Deno.remove(file);
});

Deno.test("backends that are checked by datagrams may be checked where the program may do all", () => {
  const address = { transport: "udp", host: "127.0.0.1", port: 53 } as const;
  assert.equal(whyNotCheckable([{ name: "a", address }]), undefined);
});
