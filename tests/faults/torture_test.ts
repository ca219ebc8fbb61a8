/** A few seconds of `deno task torture`; by hand it goes on for as long as you like. */

import assert from "node:assert/strict";
import { runCommand } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";

const root = new URL("../../", import.meta.url).pathname;

onEachEngine(
  "kills, stalls, reloads, signals, pauses and shortages of all kinds leave nothing behind",
  async (engine) => {
    const torture = ["task", "--quiet", "torture", "--seed", "7", "--minutes", "0.15", "--engine", engine];
    const { status, stdout, stderr } = await runCommand([Deno.execPath(), ...torture], { cwd: root });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /nothing is left over\n$/);
  },
);
