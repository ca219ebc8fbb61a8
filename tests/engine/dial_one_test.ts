import assert from "node:assert/strict";
import { dialOne } from "../../lib/engine/runtime/dial_one.ts";

/** A Unix socket whose queue takes one connection, and whose owner accepts when it is told to. */
const OWNER = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0); print("listens", flush=True)
sys.stdin.read(1)
held = [s.accept() for _ in range(2)]
sys.stdin.read(1)
`;

Deno.test("a Unix socket whose queue is full is dialled again until there is room, or no more time", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/s`;
  await using owner = new Deno.Command("python3", {
    args: ["-c", OWNER, path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const said = owner.stdout.getReader();
  await said.read();
  using first = await dialOne({ transport: "unix", path }, new AbortController().signal);
  assert.ok(first);
  await assert.rejects(dialOne({ transport: "unix", path }, AbortSignal.timeout(100)), {
    name: "TimeoutError",
  });

  const dialling = dialOne({ transport: "unix", path }, new AbortController().signal);
  const orders = owner.stdin.getWriter();
  await orders.write(new TextEncoder().encode("."));
  using second = await dialling;
  assert.ok(second);
  await orders.close();
  await owner.status;
  await said.cancel();
  await Deno.remove(folder, { recursive: true });
});
