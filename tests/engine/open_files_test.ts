import assert from "node:assert/strict";
import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { OpenFileCount } from "../../lib/engine/epoll/open_files.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { operationsOf } from "../support/operations.ts";

const isLinux = Deno.build.os === "linux";

Deno.test({
  name: "the system says how many files are open, and each one more counts",
  ignore: !isLinux,
  fn: () => {
    const libc = openLibc();
    const count = new OpenFileCount(libc.path);
    const before = count.now();
    assert.ok(before !== undefined && before > 2);
    // The listing of the folder itself says the same.
    assert.equal(before, [...Deno.readDirSync("/proc/self/fd")].length - 1);
    const files = Array.from({ length: 50 }, () => Deno.openSync("/dev/null"));
    assert.equal(count.now(), before + 50);
    for (const file of files) file.close();
    assert.equal(count.now(), before);
    count.unload();
    libc.unload();
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
