import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ConfigError } from "../../lib/config/parse.ts";
import { readConfig } from "../../lib/config/read.ts";
import { InputError } from "../../lib/core/errors.ts";
import { MINIMAL } from "./faults.ts";

/** Calls back with the path of a file that holds this; its folder goes away afterwards. */
async function withFile(content: string | Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "balancer.yaml");
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The sentence with which a file is refused. */
async function refusal(path: string): Promise<string> {
  try {
    await readConfig(path);
  } catch (error) {
    assert.ok(error instanceof InputError && !(error instanceof ConfigError), String(error));
    return error.message;
  }
  assert.fail(`${path} was read`);
}

Deno.test("a file is read, and its faults are said with its path as it was given", async () => {
  await withFile(MINIMAL, async (path) => {
    assert.equal((await readConfig(path)).listeners.length, 1);
  });
  await withFile("workers: 0\n", async (path) => {
    await assert.rejects(readConfig(path), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(`${path}:1:10 workers: `), error.message);
      return true;
    });
  });
});

Deno.test("a file that does not exist is named", async () => {
  await withFile("", async (path) => {
    assert.equal(await refusal(`${path}.gone`), `${path}.gone: no such file`);
    assert.equal(
      await refusal(join(dirname(path), "no", "file")),
      `${join(dirname(path), "no", "file")}: no such file`,
    );
  });
});

Deno.test("a directory without a file of a configuration is named as one", async () => {
  await withFile("", async (path) => {
    await Deno.rename(path, `${path}.old`);
    assert.equal(
      await refusal(dirname(path)),
      `${dirname(path)}: is a directory with no file *.yaml; name a file, or put one there`,
    );
  });
});

Deno.test("a path through a file is refused in one sentence", async () => {
  await withFile("", async (path) => {
    const message = await refusal(join(path, "below"));
    assert.ok(message.startsWith(`${join(path, "below")}: `) && !message.includes("os error"), message);
  });
});

Deno.test("a file that this user may not read is refused in one sentence", async () => {
  const { open } = Deno;
  try {
    // A test that runs as root may read everything, so the system's answer is put in its place.
    Deno.open = () => Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
    await withFile(MINIMAL, async (path) => {
      assert.equal(await refusal(path), `${path}: this user may not read it`);
    });
  } finally {
    Deno.open = open;
  }
});

Deno.test("a file that the program has no permission to read is refused with the flag that is missing", async () => {
  const worker = new Worker(import.meta.resolve("./permissionless_reader.ts"), {
    type: "module",
    deno: { permissions: { read: false } },
  });
  await withFile(MINIMAL, async (path) => {
    worker.postMessage(path);
    const message = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    assert.equal(
      message,
      `InputError: ${path}: sockbal was started without permission to read it (--allow-read=${path})`,
    );
  });
  worker.terminate();
});

Deno.test("what is not UTF-8 is no text", async () => {
  await withFile(new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]), async (path) => {
    assert.equal(await refusal(path), `${path}: not UTF-8 text`);
  });
});

Deno.test("a file that is far too large is refused", async () => {
  await withFile("", async (path) => {
    await Deno.truncate(path, 16 * 1024 * 1024 + 1);
    assert.equal(await refusal(path), `${path}: larger than 16 MiB; this is no configuration`);
  });
});

Deno.test("a byte order mark moves no place", async () => {
  await withFile("\uFEFFworkers: 0\n", async (path) => {
    await assert.rejects(readConfig(path), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(`${path}:1:10 workers: `), error.message);
      return true;
    });
  });
});

Deno.test("a relative path in a file is relative to that file, an absolute one stays", async () => {
  const content = `listeners:
  - { listen: "unix:in.sock", pool: web }
  - { listen: "unix:/run/in.sock", pool: web }
  - { listen: ":80", pool: web }
pools: { web: { backends: ["unix:run/../b.sock", { address: "unix:c.sock", name: c }, "unix:/d.sock"] } }
`;
  await withFile(content, async (path) => {
    const config = await readConfig(path);
    const folder = dirname(path);
    assert.deepEqual(config.listeners.map((it) => it.listen), [
      { transport: "unix", path: join(folder, "in.sock") },
      { transport: "unix", path: "/run/in.sock" },
      { transport: "tcp", host: "", port: 80 },
    ]);
    assert.deepEqual(config.pools.web?.backends.map((it) => it.address), [
      { transport: "unix", path: join(folder, "b.sock") },
      { transport: "unix", path: join(folder, "c.sock") },
      { transport: "unix", path: "/d.sock" },
    ]);
    assert.deepEqual(config.pools.web?.backends.map((it) => it.name), [
      "unix:run/../b.sock",
      "c",
      "unix:/d.sock",
    ]);
  });
});

Deno.test("a file that never ends is given up at the limit", async () => {
  assert.equal(await refusal("/dev/zero"), "/dev/zero: larger than 16 MiB; this is no configuration");
});
