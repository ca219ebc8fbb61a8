import assert from "node:assert/strict";
import { startTestBalancer } from "../support/balancer.ts";
import { runCommand } from "../support/command.ts";
import { operationsOf } from "../support/operations.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "the system says how many files are open, and each one more counts",
  ignore: !isLinux,
  fn: async () => {
    // In a process of its own: here other tests open and close files.
    const program = import.meta.resolve("../support/count_open_files.ts");
    const { stdout, stderr } = await runCommand([
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-all",
      program,
    ]);
    const { before, listed, more, after } = JSON.parse(stdout || stderr);
    assert.ok(before > 2);
    assert.deepEqual({ listed, more, after }, { listed: before, more: before + 50, after: before });
  },
});

Deno.test({
  name:
    "the state of a balancer tells open files and their limit with the engine epoll, and nothing with the runtime",
  ignore: !isLinux,
  fn: async () => {
    for (const engine of ["epoll", "runtime"] as const) {
      // deno-lint-ignore no-await-in-loop -- one balancer after the other
      await using balancer = await startTestBalancer({ engine, backends: ["127.0.0.1:9"] });
      const operations = operationsOf(balancer.balancer);
      const { open_files: open, max_open_files: most } = operations.status().process;
      operations.stop();
      if (engine === "runtime") assert.deepEqual([open, most], [null, null]);
      else assert.ok(open !== null && most !== null && open > 5 && open < most);
    }
  },
});
