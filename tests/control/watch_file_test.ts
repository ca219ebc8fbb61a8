// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { watchFile, type WatchFileOptions } from "../../lib/control/watch_file.ts";
import { until } from "../support/balancer.ts";

interface Watched extends AsyncDisposable {
  readonly folder: string;
  readonly changes: () => number;
  /** Makes a change, and waits until it was told. */
  sees(change: () => Promise<void>): Promise<void>;
}

/** Watches a file of a new folder, which `prepare` makes. Looks often, so that the test need not wait. */
async function watch(
  path: string,
  prepare: (folder: string) => Promise<void>,
  { lookEveryMs = 10, isSecret = false }: WatchFileOptions = {},
): Promise<Watched> {
  const folder = await Deno.makeTempDir();
  await prepare(folder);
  const stop = new AbortController();
  let changes = 0;
  const watching = watchFile(`${folder}/${path}`, () => changes++, stop.signal, { lookEveryMs, isSecret });
  // It is the text of now that changes are told of.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return {
    folder,
    changes: () => changes,
    sees: async (change) => {
      const before = changes;
      await change();
      await until(() => changes > before, "the change is seen");
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await watching;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function put(path: string, text: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** Sets a link to something else, in one step. */
async function link(to: string, at: string): Promise<void> {
  await Deno.symlink(to, `${at}.new`);
  await Deno.rename(`${at}.new`, at);
}

/** Ways to change a file, each done three times; `n` is 1 before the first. */
const WAYS: Record<string, { path: string; change: (folder: string, n: number) => Promise<void> }> = {
  "written in place": { path: "f", change: (at, n) => put(`${at}/f`, `text ${n}`) },
  "written beside and renamed": {
    path: "f",
    change: async (at, n) => {
      await put(`${at}/f.new`, `text ${n}`);
      await Deno.rename(`${at}/f.new`, `${at}/f`);
    },
  },
  "written in place with its time set back": {
    path: "f",
    change: async (at, n) => {
      await put(`${at}/f`, `text ${n}`);
      await Deno.utime(`${at}/f`, 1_000_000_000, 1_000_000_000);
    },
  },
  "removed and written again": {
    path: "f",
    change: async (at, n) => {
      await Deno.remove(`${at}/f`).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 50));
      await put(`${at}/f`, `text ${n}`);
    },
  },
  "in a folder that is removed and made again": {
    path: "a/b/f",
    change: async (at, n) => {
      await Deno.remove(`${at}/a`, { recursive: true }).catch(() => {});
      await put(`${at}/a/b/f`, `text ${n}`);
    },
  },
  "in a folder that is moved away": {
    path: "a/f",
    change: async (at, n) => {
      await put(`${at}/next/f`, `text ${n}`);
      await Deno.rename(`${at}/a`, `${at}/old${n}`).catch(() => {});
      await Deno.rename(`${at}/next`, `${at}/a`);
    },
  },
  "behind a link to a folder that is switched": {
    path: "current/f",
    change: async (at, n) => {
      await put(`${at}/releases/${n}/f`, `text ${n}`);
      await link(`releases/${n}`, `${at}/current`);
    },
  },
  "behind an absolute link that is switched": {
    path: "sub/f",
    change: async (at, n) => {
      await put(`${at}/files/${n}`, `text ${n}`);
      await Deno.mkdir(`${at}/sub`, { recursive: true });
      await link(`${at}/files/${n}`, `${at}/sub/f`);
    },
  },
  "as Kubernetes does with a ConfigMap": {
    path: "f",
    change: async (at, n) => {
      await put(`${at}/..v${n}/f`, `text ${n}`);
      await link(`..v${n}`, `${at}/..data`);
      if (n === 1) await Deno.symlink("..data/f", `${at}/f`);
      else await Deno.remove(`${at}/..v${n - 1}`, { recursive: true });
    },
  },
};

for (const isSecret of [false, true]) {
  for (const [way, { path, change }] of Object.entries(WAYS)) {
    // It takes a second until that can be seen: below.
    if (isSecret && way.includes("time set back")) continue;
    Deno.test(`a change is seen of a ${isSecret ? "secret file" : "file"} ${way}`, async () => {
      await using watched = await watch(path, (folder) => change(folder, 1), { isSecret });
      for (let n = 2; n <= 4; n++) await watched.sees(() => change(watched.folder, n));
    });
  }
}

Deno.test("a secret file is never read, and what is done to it is a change", async () => {
  const { readTextFile } = Deno;
  Deno.readTextFile = () => assert.fail("it is read");
  try {
    await using watched = await watch("f", (folder) => put(`${folder}/f`, "same"), { isSecret: true });
    const file = `${watched.folder}/f`;
    assert.equal(watched.changes(), 0);
    await watched.sees(() => put(file, "same"));
    await watched.sees(() => Deno.chmod(file, 0o640));
    const { mtime } = await Deno.stat(file);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await watched.sees(async () => {
      await put(file, "text");
      await Deno.utime(file, mtime ?? 0, mtime ?? 0);
    });
  } finally {
    Deno.readTextFile = readTextFile;
  }
});

Deno.test("a file that is touched, renamed over with the same text, or gone for a moment has not changed", async () => {
  await using watched = await watch("f", (folder) => put(`${folder}/f`, "same"));
  const file = `${watched.folder}/f`;
  await Deno.utime(file, new Date(), new Date());
  await put(`${file}.new`, "same");
  await Deno.rename(`${file}.new`, file);
  await Deno.remove(file);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await Deno.mkdir(file);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await Deno.remove(file);
  await put(file, "same");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(watched.changes(), 0);
  await watched.sees(() => put(file, "other"));
});

Deno.test("a secret file that stays gone is one change, and its return is another", async () => {
  await using watched = await watch("f", (folder) => put(`${folder}/f`, "same"), {
    isSecret: true,
    lookEveryMs: 100,
  });
  const file = `${watched.folder}/f`;
  const startMs = performance.now();
  await watched.sees(() => Deno.remove(file));
  assert.ok(performance.now() - startMs > 1_500);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  assert.equal(watched.changes(), 1);
  await watched.sees(() => put(file, "same"));
});

Deno.test("a file that grows in several steps is read when it is whole", async () => {
  await using watched = await watch("f", (folder) => put(`${folder}/f`, "old"), { lookEveryMs: 100 });
  const stop = performance.now() + 300;
  await Deno.writeTextFile(`${watched.folder}/f`, "");
  while (performance.now() < stop) {
    await Deno.writeTextFile(`${watched.folder}/f`, "line\n", { append: true });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await until(() => watched.changes() > 0, "it is seen");
  assert.ok(watched.changes() <= 2, `${watched.changes()} changes`);
});

Deno.test("a pipe is not read: what is in it is for others", async () => {
  await using watched = await watch("f", async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/f`] }).output();
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(watched.changes(), 0);
  await Deno.remove(`${watched.folder}/f`);
  await watched.sees(() => put(`${watched.folder}/f`, "a file now"));
});
