// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The folders of lib/ and who may import whom: the table of ARCHITECTURE.md, held against the import graph. */

import assert from "node:assert/strict";

/** A folder may import itself and these. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  balance: ["core"],
  wire: ["core"],
  pool: ["core", "balance"],
  engine: ["core"],
  dataplane: ["core", "wire", "pool", "engine"],
  respond: ["core", "wire", "engine"],
  talk: ["core", "wire", "engine"],
  // As talk: it drives connections.
  load: ["core", "wire", "engine"],
  config: ["core"],
  discovery: ["core", "wire"],
  fleet: ["core", "discovery"],
  health: ["core", "wire", "pool", "engine"],
  admin: ["core", "pool"],
  control: ["core", "config", "pool", "dataplane", "engine", "health", "discovery", "fleet", "admin"],
  // It runs a server, a balancer and a load.
  rehearsal: ["core", "config", "admin", "control", "respond", "load"],
  cli: ["core"],
};
MAY_IMPORT.roles = Object.keys(MAY_IMPORT);

const MAX_LINES = 400;

const root = new URL("../", import.meta.url);

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { specifier?: string };
    readonly type?: { specifier?: string };
  }[];
}

/** Imports within lib/, types included, as paths from there. */
async function graph(): Promise<Map<string, string[]>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("main.ts", root).href],
    cwd: root.pathname,
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: GraphModule[] };
  const lib = new URL("lib/", root).href;
  return new Map(
    modules.filter((module) => module.specifier.startsWith(lib)).map((module) => {
      const imports = (module.dependencies ?? [])
        .flatMap(({ code, type }) => [code?.specifier, type?.specifier])
        .filter((it) => it !== undefined && it.startsWith(lib));
      return [
        module.specifier.slice(lib.length),
        [...new Set(imports)].map((it) => (it ?? "").slice(lib.length)),
      ];
    }),
  );
}

async function sources(folder: URL): Promise<URL[]> {
  const found: URL[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, folder);
    if (entry.isDirectory) found.push(...await sources(url));
    else if (entry.name.endsWith(".ts")) found.push(url);
  }
  return found;
}

Deno.test("every import between folders of lib/ is one that the table allows", async () => {
  const wrong: string[] = [];
  for (const [from, imports] of await graph()) {
    const [folder = ""] = from.split("/");
    for (const to of imports) {
      const [target = ""] = to.split("/");
      if (target !== folder && !MAY_IMPORT[folder]?.includes(target)) wrong.push(`${from} imports ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no module of lib/ imports itself through others", async () => {
  const modules = await graph();
  const done = new Set<string>();
  const visit = (module: string, path: readonly string[]): void => {
    if (path.includes(module)) {
      assert.fail(`a cycle: ${[...path.slice(path.indexOf(module)), module].join(" → ")}`);
    }
    if (done.has(module)) return;
    for (const next of modules.get(module) ?? []) visit(next, [...path, module]);
    done.add(module);
  };
  for (const module of modules.keys()) visit(module, []);
});

Deno.test("every source file of lib/ belongs to the program and has at most 400 lines", async () => {
  const modules = await graph();
  const lib = new URL("lib/", root);
  for (const url of await sources(lib)) {
    const path = url.href.slice(lib.href.length);
    const lines = (await Deno.readTextFile(url)).split("\n").length;
    assert.ok(lines <= MAX_LINES, `${path} has ${lines} lines`);
    assert.ok(modules.has(path), `${path} is imported by nothing`);
  }
});
