/** Counts the open files of a process that does nothing else, as the engine epoll does; and as the system lists them. */

import { openLibc } from "../../lib/engine/epoll/libc.ts";
import { OpenFileCount } from "../../lib/engine/epoll/open_files.ts";

const libc = openLibc();
const count = new OpenFileCount(libc.path);
const before = count.now();
// The folder itself is open while it is listed.
const listed = [...Deno.readDirSync("/proc/self/fd")].length - 1;
const files = Array.from({ length: 50 }, () => Deno.openSync("/dev/null"));
const more = count.now();
for (const file of files) file.close();
await Deno.stdout.write(
  new TextEncoder().encode(JSON.stringify({ before, listed, more, after: count.now() })),
);
