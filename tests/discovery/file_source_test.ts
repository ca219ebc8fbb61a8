// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { fileSource } from "../../lib/discovery/file_source.ts";
import type { Pause } from "../../lib/discovery/source.ts";
import { until } from "../support/balancer.ts";
import { FastClock, Followed, parseList } from "./followed.ts";

const parse = (text: string): ReturnType<typeof parseList> => parseList(JSON.parse(text));

async function inFolder(test: (folder: string, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await test(folder, `${folder}/members.json`);
  await Deno.remove(folder, { recursive: true });
}

Deno.test("a file that is replaced, and a link that is set to another folder, are followed", async () => {
  await inFolder(async (folder, path) => {
    for (const [name, member] of [["one", "10.0.0.1:80"], ["two", "10.0.0.2:80"]]) {
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/${name}/list`, JSON.stringify([member]));
    }
    await Deno.symlink(`${folder}/one`, `${folder}/now`);
    await Deno.symlink(`${folder}/now/list`, path);
    await using followed = new Followed(fileSource({ path, parse, pause: new FastClock().pause }));
    await followed.sees("10.0.0.1:80");
    await Deno.symlink(`${folder}/two`, `${folder}/next`);
    await Deno.rename(`${folder}/next`, `${folder}/now`);
    await followed.sees("10.0.0.2:80");
    await Deno.writeTextFile(`${folder}/new`, '["10.0.0.3:80"]');
    await Deno.rename(`${folder}/new`, path);
    await followed.sees("10.0.0.3:80");
    assert.deepEqual(followed.troubles, []);
  });
});

Deno.test("a text that is half written is not read", async () => {
  await inFolder(async (_folder, path) => {
    // Each look is the test's to allow.
    const looks: (() => void)[] = [];
    const pause: Pause = (_ms, stop) =>
      new Promise((resolve) => {
        looks.push(resolve);
        stop.addEventListener("abort", () => resolve());
      });
    const look = async (): Promise<void> => {
      await until(() => looks.length > 0, "it waits");
      looks.shift()?.();
      await until(() => looks.length > 0, "it has looked");
    };
    await Deno.writeTextFile(path, "[]");
    await using followed = new Followed(fileSource({ path, parse, pause }));
    await look();
    await Deno.writeTextFile(path, '["10.0.0.1:80"]');
    await look();
    await Deno.writeTextFile(path, '["10.0.0.1:80","10.0.0.2:80"]');
    await look();
    assert.equal(followed.found.length, 1);
    await look();
    assert.deepEqual(followed.found.map(({ members }) => members.length), [0, 2]);
  });
});

Deno.test("a file that is gone for a moment has not changed", async () => {
  await inFolder(async (_folder, path) => {
    const clock = new FastClock();
    await Deno.writeTextFile(path, '["10.0.0.1:80"]');
    await using followed = new Followed(fileSource({ path, parse, pause: clock.pause }));
    await followed.sees("10.0.0.1:80");
    await Deno.remove(path);
    const before = clock.pauses.length;
    await until(() => clock.pauses.length >= before + 2, "it has looked");
    await Deno.writeTextFile(path, '["10.0.0.2:80"]');
    await followed.sees("10.0.0.2:80");
    assert.deepEqual(followed.troubles, []);
  });
});

const WRONG: [string, (path: string) => Promise<void>, RegExp][] = [
  ["a folder", (path) => Deno.mkdir(path), /members\.json: is a directory; name the file in it$/],
  ["a huge file", (path) => Deno.writeFile(path, new Uint8Array(4 * 1024 * 1024 + 1)), /: larger than 4 MiB/],
  ["bytes that are no text", (path) => Deno.writeFile(path, Uint8Array.of(0xff, 0xfe)), /: not UTF-8 text$/],
  ["no list", (path) => Deno.writeTextFile(path, "{}"), /^there is no list$/],
  ["a list that is too long", (path) => {
    return Deno.writeTextFile(path, JSON.stringify(Array.from({ length: 10_001 }, (_, i) => `a${i}:80`)));
  }, /^there are more than 10000 members/],
];
for (const [what, write, sentence] of WRONG) {
  Deno.test(`${what} is refused with a sentence`, async () => {
    await inFolder(async (_folder, path) => {
      await write(path);
      await using followed = new Followed(fileSource({ path, parse, pause: new FastClock().pause }));
      await until(() => followed.troubles.length > 0, "it says so");
      assert.match(followed.troubles[0] ?? "", sentence);
    });
  });
}
