// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The server role with its flags of misbehaviour, as a user runs it. */

import assert from "node:assert/strict";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { runCommand, RunningCommand, SOCKBAL, sockbal } from "../support/command.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";

const PYTHON = await findProgram("python3", "python3-minimal");
const noPython = skipWithout(PYTHON);

/** A client of the system's own sockets, which says what it has met. */
const PYTHON_CLIENT = `
import errno, socket, sys
received = b""
try:
  peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
  peer.sendall(b"hello\\n")
  while True:
    some = peer.recv(4096)
    if not some: break
    received += some
  print("end", received)
except OSError as error:
  print(errno.errorcode[error.errno], received)
`;

type Server = RunningCommand & { readonly port: number };

async function start(...args: string[]): Promise<Server> {
  const command = [...SOCKBAL, "--role", "server", "--listen", "127.0.0.1:0", ...args];
  const server = new RunningCommand(command, { isTyped: true });
  const [, port = ""] = await server.sees(/listening address=127\.0\.0\.1:(\d+)/);
  return Object.assign(server, { port: Number(port) });
}

Deno.test({
  name: `a reset is an RST for a client of the system's own sockets, and down is refused${noPython.why}`,
  ignore: noPython.ignore,
  fn: async () => {
    await using server = await start("--fail-rate", "1", "--fail-how", "reset");
    const met = async (): Promise<string> => {
      return (await runCommand([pathOf(PYTHON), "-c", PYTHON_CLIENT, `${server.port}`])).stdout.trim();
    };
    assert.equal(await met(), "ECONNRESET b''");
    for (
      const [line, meets] of [
        ["fail-how refuse", "ECONNRESET b''"],
        ["fail-how close-early", "end b'hel'"],
        ["down", "ECONNREFUSED b''"],
        ["up", "end b'hel'"],
      ]
    ) {
      await server.type(`${line}\n`);
      await server.sees(new RegExp(`changed line="?${line}"?\n`));
      assert.equal(await met(), meets, line);
    }
  },
});

Deno.test("a server says what is wrong, follows lines, survives wrong ones and the end of stdin, and stops as any", async () => {
  await using server = await start("--delay", "0s", "--close-after", "1");
  await server.sees(/ warn {2}misbehaves delay=0s close_after=1 seed=1\n/);
  await server.type("dely 1s\nclose-after off\n");
  await server.sees(/ warn {2}line_refused reason="\\"dely\\" is not known; did you mean delay\?"\n/);
  await server.sees(/ info {2}changed line="close-after off"\n/);
  assert.equal(text(await ask(server.port, bytes("still here"))), "still here");
  server.kill("SIGTERM");
  assert.equal((await server.finished).status, 0);

  const [port, ...rest] = ["127.0.0.1:0", "--delay", "0s"];
  const silent = [...SOCKBAL, "--role", "server", "--listen", port, ...rest];
  await using other = new RunningCommand(silent, { input: bytes("fail-rate 0\n") });
  const [, at = ""] = await other.sees(/listening address=127\.0\.0\.1:(\d+)/);
  await other.sees(/changed line="fail-rate 0"\n/);
  assert.equal(text(await ask(Number(at), bytes("x"))), "x");
  other.kill("SIGTERM");
  assert.equal((await other.finished).status, 0);
});

Deno.test("a server notes that nothing fails as it was told to, and a line changes that", async () => {
  await using server = await start("--fail-how", "close-early");
  await server.sees(
    / warn {2}config_note note="--fail-how close-early without --fail-rate: nothing fails [^"]+"\n/,
  );
  assert.equal(text(await ask(server.port, bytes("hello\n"))), "hello\n");
  await server.type("fail-rate 1\n");
  await server.sees(/ info {2}changed line="fail-rate 1"\n/);
  assert.equal(text(await ask(server.port, bytes("hello\n"))), "hel");
});

Deno.test("a server that does not misbehave leaves stdin alone", async () => {
  await using server = await start("--handler", "whoami", "--name", "one");
  await server.sees(/ ready /);
  await server.type("down\n");
  using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  assert.equal(text(await readAll(client)), "one\n");
  server.kill("SIGTERM");
  assert.doesNotMatch((await server.finished).stderr, /changed|line_refused|misbehaves/);
});

Deno.test("with UDP lines change what datagrams have, and refuse the rest", async () => {
  const command = [...SOCKBAL, "--role", "server", "--listen", "udp:127.0.0.1:0", "--fail-rate", "1"];
  await using server = new RunningCommand(command, { isTyped: true });
  const [, address = ""] = await server.sees(/listening address=(\S+)/);
  await server.sees(/misbehaves fail_rate=1 fail_how=hang seed=1\n/);
  await server.type("down\nclose-after 2\nfail-rate 0\n");
  await server.sees(
    /reason="down is for connections, and UDP has none; write fail-rate 1, or fail-rate 0"\n/,
  );
  await server.sees(/reason="close-after is for connections, and UDP has none; leave it out"\n/);
  await server.sees(/changed line="fail-rate 0"\n/);
  const client = await sockbal("--role", "client", "--connect", address, "--message", "hi");
  assert.deepEqual([client.status, client.stdout], [0, "hi\n"]);
});

Deno.test("when file descriptors run out it says so, and listens again as soon as there are some", async () => {
  const limited = ["sh", "-c", `ulimit -n 64 && exec "$@"`, "sh", ...SOCKBAL, "--role", "server"];
  await using server = new RunningCommand([...limited, "--listen", "127.0.0.1:0", "--delay", "0s"]);
  const [, port = ""] = await server.sees(/listening address=127\.0\.0\.1:(\d+)/);
  const clients = await Promise.all(
    Array.from({ length: 80 }, () => Deno.connect({ hostname: "127.0.0.1", port: Number(port) })),
  );
  await server.sees(/ warn {2}accept_failing address=\S+ reason="Too many open files"\n/);
  for (const client of clients) client.close();
  await server.sees(/ accept_recovered /);
  for (let i = 0; i < 3; i++) assert.equal(text(await ask(Number(port), bytes("again"))), "again");
  server.kill("SIGTERM");
  assert.equal((await server.finished).status, 0);
});
