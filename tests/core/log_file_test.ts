import assert from "node:assert/strict";
import { join } from "node:path";
import { LogFile } from "../../lib/core/log_file.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every file that is opened from now on takes so many bytes in all, and then fails; to be undone by the caller. */
function fillDisk(room: number): { freeTo(room: number): void; undo(): void } {
  const { write } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.write = function (this: Deno.FsFile, data: Uint8Array<ArrayBuffer>): Promise<number> {
    if (room === 0) return Promise.reject(new Error("No space left on device (os error 28)"));
    const part = data.subarray(0, room);
    room -= part.length;
    return write.call(this, part);
  };
  return { freeTo: (more) => void (room = more), undo: () => void (Deno.FsFile.prototype.write = write) };
}

Deno.test("a full disk takes what it has room for, and the next write fails", async () => {
  await withFolder(async (folder) => {
    const file = await LogFile.open(join(folder, "log"));
    const disk = fillDisk(7);
    try {
      assert.equal(await file.write(bytes("one\ntwo\n")), 7);
      await assert.rejects(file.write(bytes("\n")), /No space/);
      disk.freeTo(100);
      assert.equal(await file.write(bytes("\nthree\n")), 7);
    } finally {
      disk.undo();
    }
    file.close();
    assert.equal(await Deno.readTextFile(join(folder, "log")), "one\ntwo\nthree\n");
  });
});

Deno.test("a file that was moved away in the middle of a line leaves the whole line to the new one", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "log");
    const file = await LogFile.open(path);
    const disk = fillDisk(6);
    try {
      assert.equal(await file.write(bytes("one\ntwo\n")), 6);
      await Deno.rename(path, `${path}.1`);
      await file.reopen();
      await assert.rejects(file.write(bytes("o\n")), /No space/);
      // Enough for half of what is owed.
      disk.freeTo(1);
      await assert.rejects(file.write(bytes("o\n")), /No space/);
      disk.freeTo(100);
      assert.equal(await file.write(bytes("o\n")), 2);
    } finally {
      disk.undo();
    }
    file.close();
    assert.equal(await Deno.readTextFile(path), "two\n");
  });
});

Deno.test("a file is written on behind a line that a killed program has left without its end", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "log");
    for (
      const [before, after] of [["", "new\n"], ["old\n", "old\nnew\n"], [
        "old\nto",
        "old\nto\nnew\n",
      ]] as const
    ) {
      // deno-lint-ignore no-await-in-loop -- one after the other
      await Deno.writeTextFile(path, before);
      // deno-lint-ignore no-await-in-loop -- one after the other
      const file = await LogFile.open(path);
      // deno-lint-ignore no-await-in-loop -- one after the other
      await file.write(bytes("new\n"));
      file.close();
      // deno-lint-ignore no-await-in-loop -- one after the other
      assert.equal(await Deno.readTextFile(path), after);
    }
  });
});

Deno.test("a pipe without a reader does not hold up the start", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "pipe");
    assert.equal((await new Deno.Command("mkfifo", { args: [path] }).output()).code, 0);
    const file = await LogFile.open(path);
    assert.equal(await file.write(bytes("line\n")), 5);
    const reader = await Deno.open(path);
    const buffer = new Uint8Array(16);
    assert.equal(await reader.read(buffer), 5);
    reader.close();
    file.close();
  });
});
