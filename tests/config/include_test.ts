import assert from "node:assert/strict";
import { InputError } from "../../lib/core/errors.ts";
import { configFolder, listenerText, poolText } from "./config_folder.ts";

Deno.test("files that are included come in the order of their names, after the file that includes them", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1)}include: [pools.d/*.yaml, more/last.yaml]\nworkers: 2\n`,
    "pools.d/b.yaml": poolText("b", 12),
    "pools.d/a.yaml": poolText("web", 11) + listenerText("a", 2),
    "pools.d/10.yaml": poolText("ten", 10),
    "pools.d/.hidden.yaml": "nonsense",
    "pools.d/c.yaml.old": "nonsense",
    "pools.d/folder.yaml/x": "nonsense",
    "more/last.yaml": listenerText("last", 3),
  });
  const { config, files, reads } = await it.read("balancer.yaml");
  assert.deepEqual(Object.keys(config.pools), ["ten", "web", "b"]);
  assert.deepEqual(config.listeners.map(({ name }) => name), ["main", "a", "last"]);
  assert.equal(config.workers, 2);
  assert.deepEqual(
    files.map((file) => [file.name.slice(it.path.length + 1), file.listeners, file.backends]),
    [
      ["balancer.yaml", 1, 0],
      ["pools.d/10.yaml", 0, 1],
      ["pools.d/a.yaml", 1, 1],
      ["pools.d/b.yaml", 0, 1],
      ["more/last.yaml", 1, 0],
    ],
  );
  assert.deepEqual(
    reads.map((path) => path.slice(it.path.length + 1)),
    ["balancer.yaml", "more/last.yaml", "pools.d"],
  );
});

Deno.test("a pattern may have wildcards in folders, and match nothing; a name may not", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1)}${
      poolText("web", 1)
    }include: [none/*.yaml, "*/?ne.yaml", gone.yaml]\n`,
    "y/one.yaml": poolText("y", 1),
    "x/one.yaml": poolText("x", 1),
    "x/o*e.yaml": "nonsense",
  });
  const said = await it.faults("balancer.yaml");
  assert.deepEqual(said, ["balancer.yaml:6:38 include[2]: gone.yaml: no such file"]);
  await it.write({ "gone.yaml": "# switched off\n" });
  const { config } = await it.read("balancer.yaml");
  assert.deepEqual(Object.keys(config.pools), ["web", "x", "y"]);
});

Deno.test("what is included is a regular file", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1)}${poolText("web", 1)}include: [d, "d/*.pipe", /dev/null]\n`,
    "d/x": "",
  });
  await new Deno.Command("mkfifo", { args: [`${it.path}/d/a.pipe`] }).output();
  assert.deepEqual(await it.faults("balancer.yaml"), [
    "balancer.yaml:6:11 include[0]: d: is a directory; name the files in it, as d/*.yaml",
    "balancer.yaml:6:14 include[1]: d/a.pipe: is no regular file",
    "balancer.yaml:6:26 include[2]: /dev/null: is no regular file",
  ]);
});

Deno.test("an included file may include others, each is read once, and a circle ends", async () => {
  await using it = await configFolder({
    "balancer.yaml": `include: ["*.yaml"]\n${listenerText("main", 1)}`,
    "one.yaml": `${poolText("web", 1)}include: [sub/two.yaml]\n`,
    "sub/two.yaml": `${poolText("two", 1)}include: [../balancer.yaml, three.yaml, two.yaml, ../one.yaml]\n`,
    "sub/three.yaml": poolText("three", 1),
  });
  await Deno.symlink("sub/three.yaml", `${it.path}/zzz.yaml`);
  const { config, files } = await it.read("balancer.yaml");
  assert.deepEqual(Object.keys(config.pools), ["web", "two", "three"]);
  assert.equal(files.length, 4);
});

Deno.test("faults of all files are said at once, each in its file and by its path there", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1, ", idle_timeout: 5")}include: [d/*.yaml]\nworkers: 0\n`,
    "d/a.yaml": `${poolText("web", 1, "    retries: x\n")}log: { level: warn }\nworkers: 2\n`,
    "d/b.yaml": `listeners:\n  - { listen: ":2", pool: wbe }\npools: [web]\ninclude: five\n`,
    "d/c.yaml": "nonsense\n",
  });
  const notHere = "an included file has listeners, pools, include and nothing else; " +
    "write what is for the whole program in the file that includes";
  assert.deepEqual(await it.faults("balancer.yaml"), [
    "balancer.yaml:2:67 listeners[0].idle_timeout: 5 is not a duration; add the unit, as 5s or 5ms",
    "balancer.yaml:4:10 workers: 0 is not a number of workers; write auto or 1 to 256",
    'd/a.yaml:4:14 pools.web.retries: "x" is not a whole number; write 0 to 100',
    `d/a.yaml:5:1 log: ${notHere}`,
    `d/a.yaml:6:1 workers: ${notHere}`,
    'd/b.yaml:2:27 listeners[0].pool: there is no pool "wbe"; did you mean web?',
    'd/b.yaml:3:8 pools: ["web"] is not a map; write the pools by name, as web: { backends: [ … ] }',
    'd/b.yaml:4:10 include: "five" is not a list; list files, as - pools.d/*.yaml',
    'd/c.yaml:1:1 "nonsense" is not a map; a file is a map of listeners, pools, include',
  ]);
});

Deno.test("a file that is no YAML hides no fault of the others, and what may be in it is not called missing", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1, ", backlog: 0")}include: [d/*.yaml]\n`,
    "d/a.yaml": "pools: {\n",
    "d/b.yaml": poolText("b", 1, "    retries: -1\n"),
  });
  const faults = await it.faults("balancer.yaml");
  assert.deepEqual(faults.map((line) => line.split(": ")[0]), [
    "balancer.yaml:2:62 listeners[0].backlog",
    "d/a.yaml:2:1 not valid YAML",
    "d/b.yaml:4:14 pools.b.retries",
  ]);
});

Deno.test("a name or an address that stands in two files is one fault, which names both places", async () => {
  await using it = await configFolder({
    "balancer.yaml": `include: [a.yaml, b.yaml]\n${listenerText("one", 1)}`,
    "a.yaml": poolText("web", 1) + listenerText("two", 2),
    "b.yaml": poolText("web", 1) +
      'listeners:\n  - { name: one, listen: ":3", pool: web }\n  - { name: x, listen: "127.0.0.1:2", pool: web }\n' +
      '  - { name: y, listen: ":1", pool: web }\n',
  });
  assert.deepEqual(
    await it.faults("balancer.yaml"),
    [
      "b.yaml:2:3 pools.web: there is a pool of this name already (pools.web, a.yaml:2:3)",
      'b.yaml:5:13 listeners[0].name: the name "one" is used a second time (first listeners[0].name, balancer.yaml:3:13)',
      'b.yaml:6:24 listeners[1].listen: the address "127.0.0.1:2" is used a second time (first listeners[0].listen, a.yaml:5:26)',
      'b.yaml:7:24 listeners[2].listen: ":1" overlaps with "127.0.0.1:1" of listeners[0]: both would take the same connections; ' +
      "use another port, or leave one of them out (first listeners[0].listen, balancer.yaml:3:26)",
    ],
  );
});

Deno.test("relative paths are relative to the file in which they stand, those of defaults too", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1)}include: [d/a.yaml]
defaults: { pool: { tls: { ca: ca.pem, server_name: x } } }
`,
    "d/a.yaml": `listeners:
  - { listen: "unix:a.sock", pool: web }
  - { name: absolute, listen: "unix:/run/sockbal-test-none/a.sock", pool: web }
pools:
  web: { backends: ["unix:b.sock", { address: "unix:../c.sock", name: c }, "a:1"] }
  own: { backends: [a:1], tls: { ca: own.pem } }
`,
  });
  const said = await it.faults("balancer.yaml");
  assert.deepEqual(said.map((line) => line.replaceAll(it.path, "")), [
    "balancer.yaml:4:32 defaults.pool.tls.ca: ca.pem: no such file (for pools.web, d/a.yaml:5:3)",
    "d/a.yaml:3:31 listeners[1].listen: /run/sockbal-test-none: there is no such folder",
    "d/a.yaml:6:38 pools.own.tls.ca: d/own.pem: no such file",
  ]);
  await it.write({ "balancer.yaml": `${listenerText("main", 1)}include: [d/a.yaml]\n` });
  await it.write({
    "d/a.yaml": `listeners: [{ listen: "unix:a.sock", pool: web }]
pools: { web: { backends: ["unix:b.sock", { address: "unix:../c.sock", name: c }, "a:1"] } }
`,
  });
  const { config: { listeners, pools } } = await it.read("balancer.yaml");
  assert.deepEqual(listeners[1]?.listen, { transport: "unix", path: `${it.path}/d/a.sock` });
  assert.deepEqual(pools.web?.backends.map(({ address }) => address), [
    { transport: "unix", path: `${it.path}/d/b.sock` },
    { transport: "unix", path: `${it.path}/c.sock` },
    { transport: "tcp", host: "a", port: 1 },
  ]);
});

Deno.test("a folder is all its *.yaml in the order of their names, and one of them has what is for the whole program", async () => {
  await using it = await configFolder({
    "20-web.yaml": poolText("web", 1) + listenerText("web", 1),
    "10-global.yaml": "workers: 3\ndefaults: { pool: { retries: 7 } }\n",
    "30-api.yaml": `${poolText("api", 1)}include: [more/*.yaml]\n`,
    "more/x.yaml": poolText("x", 1),
    "readme.txt": "nonsense",
  });
  const { config, files, reads } = await it.read();
  assert.equal(config.workers, 3);
  assert.deepEqual(Object.values(config.pools).map(({ retries }) => retries), [7, 7, 7]);
  assert.deepEqual(files.length, 4);
  assert.deepEqual(reads, [it.path, `${it.path}/more`]);

  await it.write({ "30-api.yaml": "log: { level: info }\nworkers: 4\n", "40-bad.yaml": "a: [\n" });
  assert.deepEqual(await it.faults(), [
    "30-api.yaml:1:1 log: one file has all that is for the whole program, and there is one already " +
    "(workers, 10-global.yaml:1:1)",
    "40-bad.yaml:2:1 not valid YAML: a bracket, a brace or a quote that was opened above is not closed",
  ]);
});

Deno.test("what a folder lacks is said of its first file", async () => {
  await using it = await configFolder({
    "a.yaml": "# nothing\nworkers: 1\n",
    "b.yaml": listenerText("web", 1),
  });
  assert.deepEqual(await it.faults(), [
    "a.yaml:2:1 pools: missing; write the pools by name, as web: { backends: [ … ] }",
  ]);
  await using empty = await configFolder({ "a.yml": "" });
  await assert.rejects(empty.read(), (error: unknown) => {
    assert.ok(error instanceof InputError);
    assert.equal(
      error.message,
      `${empty.path}: is a directory with no file *.yaml; name a file, or put one there`,
    );
    return true;
  });
});

Deno.test("a pattern of all depths is refused, since it would match less than is meant", async () => {
  await using it = await configFolder({
    "balancer.yaml": `${listenerText("main", 1)}${poolText("web", 1)}include: ["pools/**/*.yaml"]\n`,
    "pools/a/b/c.yaml": poolText("deep", 1),
  });
  const [said = ""] = await it.faults("balancer.yaml");
  assert.match(
    said,
    /^balancer\.yaml:6:11 include\[0\]: .*\*\* is not known; write one line for each depth, with \*$/,
  );
});
