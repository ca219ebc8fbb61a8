// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Workers run the code that was there at the start, whatever becomes of the files. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { readWorkerCode } from "../../lib/control/worker_code.ts";
import { startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, testConfig } from "../support/balancer.ts";
import { readExactly, text } from "../support/bytes.ts";

const lib = new URL("../../lib/", import.meta.url);
const entry = new URL("dataplane/worker.ts", lib).href;

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly specifier: string }[];
}

/** The modules of a worker, as the runtime knows them. */
async function graph(): Promise<GraphModule[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry] }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: GraphModule[] };
  return modules.filter(({ specifier }) => specifier.startsWith("file:"));
}

/** The text of a copy, and of all that it imports, by URL. */
async function copiesFrom(url: string, found = new Map<string, string>()): Promise<Map<string, string>> {
  if (found.has(url)) return found;
  const code = await (await fetch(url)).text();
  found.set(url, code);
  for (const [next] of code.matchAll(/blob:[^"]+/g)) await copiesFrom(next, found);
  return found;
}

Deno.test("the copy of the workers' code is whole: it imports nothing from files or registries", async () => {
  const modules = await graph();
  for (const { specifier, dependencies = [] } of modules) {
    for (const { specifier: wanted } of dependencies) {
      assert.match(wanted, /^(?:\.|node:)/, `${specifier} imports ${wanted}, which is not copied`);
    }
  }
  const copies = await copiesFrom((await readWorkerCode(entry))());
  for (const code of copies.values()) assert.doesNotMatch(code, /^(?:import|export)\b[^;]*"\.{1,2}\//m);
  // Modules of types alone are nothing when the program runs.
  assert.ok(copies.size > 30 && copies.size <= modules.length, `${copies.size} of ${modules.length}`);
});

/** A copy of what workers are made of, in a folder of its own. */
async function copyTree(): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const { specifier } of await graph()) {
    const to = `${folder}/${specifier.slice(lib.href.length)}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(new URL(specifier), to);
  }
  await Deno.writeTextFile(
    `${folder}/entry.ts`,
    `import "./dataplane/worker.ts";
const orders = new BroadcastChannel("sockbal-copied-worker");
orders.onmessage = () => {
  throw new Error("told to die");
};
`,
  );
  return folder;
}

for (const fate of ["replaced by another version", "gone"]) {
  Deno.test(`files that are ${fate} keep no worker from being started, and change none`, async () => {
    const folder = await copyTree();
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      backends: [a.member],
      workers: 1,
      workerEntry: new URL(`file://${folder}/entry.ts`).href,
    });
    const { port, log } = balancer;
    const ask = async (): Promise<string> => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await writeAll(conn, new Uint8Array(1));
      return text(await readExactly(conn, 1));
    };
    if (fate === "gone") await Deno.remove(folder, { recursive: true });
    else {
      const other = "self.postMessage({ type: 'died', reason: 'I am of another version' });\n";
      for (const { specifier } of await graph()) {
        await Deno.writeTextFile(`${folder}/${specifier.slice(lib.href.length)}`, other);
      }
      await Deno.writeTextFile(`${folder}/entry.ts`, other);
    }
    assert.equal(await ask(), "a");
    for (const seconds of [1, 2]) {
      const listener = { listen: `127.0.0.1:${port}`, idle_timeout: `${seconds}s` };
      const config = testConfig({ backends: [a.member], listener, workers: 1 });
      assert.equal(await balancer.balancer.reload(config), "replaced");
      assert.equal(await ask(), "a");
    }
    const orders = new BroadcastChannel("sockbal-copied-worker");
    orders.postMessage("die");
    await log.waitFor("worker_restarted");
    orders.close();
    assert.equal(await ask(), "a");
    if (fate !== "gone") await Deno.remove(folder, { recursive: true });
  });
}
