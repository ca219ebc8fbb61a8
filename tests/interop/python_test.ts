// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Programs that were not written with sockbal in mind: the plain socket server of Python's documentation, behind it. */

import assert from "node:assert/strict";
import { RunningCommand } from "../support/command.ts";
import { localPort, startTestBalancer } from "../support/balancer.ts";
import { ENGINES, readUntilCut } from "../support/engines.ts";
import { bytes, readAll, text } from "../support/bytes.ts";
import { writeAll } from "../../lib/core/connection.ts";

/** One recv, one answer, close; no look at what else was sent. */
const SERVER = `
import socket
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
    server.bind(("127.0.0.1", 0))
    server.listen()
    print("port", server.getsockname()[1], flush=True)
    while True:
        conn, addr = server.accept()
        with conn:
            data = conn.recv(1024)
            conn.sendall(b"Hello from Python, you said: " + data)
`;

async function findPython(): Promise<string | undefined> {
  for (const name of ["python3", "python"]) {
    try {
      const { success } = await new Deno.Command(name, { args: ["--version"] }).output();
      if (success) return name;
    } catch {
      // Not this name.
    }
  }
  return undefined;
}

const python = await findPython();
const reason = python === undefined ? " (skipped: no Python 3; apt-get install python3)" : "";

for (const engine of ENGINES) {
  Deno.test({
    name: `a plain Python socket server answers behind the balancer (${engine})${reason}`,
    ignore: python === undefined,
    fn: async () => {
      await using server = new RunningCommand([python ?? "", "-c", SERVER]);
      const [, port = ""] = await server.sees(/port (\d+)/, "stdout");
      await using balancer = await startTestBalancer({ engine, backends: [`127.0.0.1:${port}`] });
      for (let i = 0; i < 20; i++) {
        using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
        await writeAll(client, bytes(`hi ${i}`));
        assert.equal(text(await readAll(client)), `Hello from Python, you said: hi ${i}`);
        await client.closeWrite();
        const record = await balancer.recordOf(localPort(client));
        assert.equal(record.end, "done");
      }
    },
  });
}

for (const engine of ENGINES) {
  Deno.test({
    name: `a Python server that closes with bytes unread loses none of its answer (${engine})${reason}`,
    ignore: python === undefined,
    fn: async () => {
      await using server = new RunningCommand([python ?? "", "-c", SERVER]);
      const [, port = ""] = await server.sees(/port (\d+)/, "stdout");
      await using balancer = await startTestBalancer({ engine, backends: [`127.0.0.1:${port}`] });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await writeAll(client, bytes("x".repeat(5_000)));
      const answer = text(await readUntilCut(client, engine));
      assert.match(answer, /^Hello from Python, you said: x{1,1024}$/);
    },
  });
}
