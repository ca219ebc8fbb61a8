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
    // Other tests of this process open and close files too, so that it takes a quiet moment.
    const isCounted = (): boolean => {
      const before = count.now() ?? assert.fail();
      // The listing of the folder itself says the same.
      const listed = [...Deno.readDirSync("/proc/self/fd")].length - 1;
      const files = Array.from({ length: 50 }, () => Deno.openSync("/dev/null"));
      const more = count.now();
      for (const file of files) file.close();
      return before > 2 && before === listed && more === before + 50 && count.now() === before;
    };
    assert.ok(Array.from({ length: 200 }).some(isCounted), `${count.now()} are counted`);
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
