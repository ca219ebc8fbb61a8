// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Server and client with UDP, as whole programs, beside one another and beside programs of others. */

import assert from "node:assert/strict";
import { pattern, same } from "../support/bytes.ts";
import {
  runCommand,
  RunningCommand,
  SOCKBAL,
  sockbal,
  sockbalWith,
  startSockbal,
} from "../support/command.ts";
import { freePort } from "../support/ports.ts";
import { UdpPeer } from "../support/udp.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";

const SOCAT = await findProgram("socat", "socat");
const NC = await findProgram("nc.openbsd", "netcat-openbsd");

interface Server extends AsyncDisposable {
  readonly command: RunningCommand;
  readonly port: number;
}

/** Starts a server on a port of the system's choice. */
async function startServer(...args: string[]): Promise<Server> {
  const command = startSockbal("--role", "server", "--listen", "udp:127.0.0.1:0", ...args);
  const [, port] = await command.sees(/\blistening\b.*udp:127\.0\.0\.1:(\d+)\b[^]*\bready\b.*\n/);
  return { command, port: Number(port), [Symbol.asyncDispose]: () => command[Symbol.asyncDispose]() };
}

function client(port: number, ...args: string[]): string[] {
  return ["--role", "client", "--connect", `udp:127.0.0.1:${port}`, ...args];
}

const markdown = await Deno.readTextFile(new URL("../../docs/udp.md", import.meta.url));

Deno.test("docs/udp.md: the server and the client do what the text beside them says", async () => {
  const [, commands = "", printed] =
    /```sh\n(sockbal --role server [^]*?)```\n\nThe client prints:\n\n```\n([^]*?)```/.exec(markdown) ?? [];
  const [server = "", asking = ""] = commands.trim().split("\n");
  const [, ...handler] = /^sockbal --role server --listen udp:127\.0\.0\.1:1234 (\S+) (\S+)$/.exec(server) ??
    [];
  await using running = await startServer(...handler);
  const { stdout, status } = await sockbal(
    ...asking.replace("1234", String(running.port)).split(" ").slice(1),
  );
  assert.deepEqual([stdout, status], [printed, 0]);
});

Deno.test("a server says that it is ready, and a SIGTERM ends it", async () => {
  await using server = await startServer("--handler", "whoami", "--name", "one", "--log-format", "json");
  const { stdout } = await sockbal(...client(server.port, "--message", "who?"));
  assert.equal(stdout, "one\n");
  server.command.kill("SIGTERM");
  const { status, stderr } = await server.command.finished;
  assert.equal(status, 0);
  const records = stderr.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ time: _, ...record }) => record), [
    { level: "info", event: "listening", address: `udp:127.0.0.1:${server.port}` },
    { level: "info", event: "ready", handler: "whoami", engine: "runtime" },
    { level: "info", event: "stopped" },
  ]);
});

Deno.test("stdin is one datagram for each read, up to 65,507 bytes", async () => {
  await using server = await startServer();
  const folder = await Deno.makeTempDir();
  const sent = pattern(150_000);
  await Deno.writeFile(`${folder}/sent`, sent);
  const command = [...SOCKBAL, ...client(server.port)].map((it) => `'${it}'`).join(" ");
  const { status } = await runCommand(["sh", "-c", `${command} < ${folder}/sent > ${folder}/got`]);
  assert.equal(status, 0);
  assert.ok(same(await Deno.readFile(`${folder}/got`), sent));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a server under a flood of hostile datagrams ends at a SIGTERM, and answers when it is over", async () => {
  await using server = await startServer();
  const flood = async (rounds: number): Promise<void> => {
    for (let i = 0; i < rounds; i++) {
      using stranger = new UdpPeer();
      for (const length of [0, 65_507, 1, 0]) await stranger.send(new Uint8Array(length), server);
    }
  };
  await flood(2_000);
  const { status, stdout } = await sockbal(...client(server.port, "--message", "hi", "--timeout", "30s"));
  assert.deepEqual([status, stdout], [0, "hi\n"]);
  const stop = new AbortController();
  const flooding = (async () => {
    while (!stop.signal.aborted) await flood(20);
  })();
  server.command.kill("SIGTERM");
  assert.equal((await server.command.finished).status, 0);
  stop.abort();
  await flooding;
});

Deno.test("what cannot be done is said in one sentence, with the status of who is to blame", async () => {
  using silent = new UdpPeer();
  const wrong: [string[], number, RegExp][] = [
    [
      client(silent.port, "--message", "hi", "--timeout", "200ms"),
      1,
      /^sockbal: udp:127\.0\.0\.1:\d+: no answer within 200ms; perhaps nothing listens there, or a datagram was lost\n$/,
    ],
    [
      ["--role", "server", "--listen", `udp:127.0.0.1:${silent.port}`],
      1,
      /^sockbal: cannot listen on udp:127\.0\.0\.1:\d+: UDP port \d+ is in use, by another program or by another listener\n$/,
    ],
    [
      ["--role", "server", "--listen", "udp:127.0.0.1:0", "--handler", "http"],
      2,
      /^sockbal: --handler http needs connections, and UDP has none; take another handler\n$/,
    ],
    [
      client(silent.port, "--tls", "--message", "hi"),
      2,
      /^sockbal: --tls is for connections, and UDP has none; leave it out\n$/,
    ],
    [
      client(silent.port, "--message", "x".repeat(65_507)),
      2,
      /^sockbal: --message: a datagram has at most 65507 bytes; with its newline this one has 65508\n$/,
    ],
  ];
  await Promise.all(wrong.map(async ([args, expected, sentence]) => {
    const { status, stdout, stderr } = await sockbal(...args);
    assert.deepEqual([status, stdout], [expected, ""], stderr);
    assert.match(stderr, sentence);
  }));
});

Deno.test("docs/udp.md: the permissions that it names are enough for a client, and with fewer it says so", async () => {
  await using server = await startServer();
  const [, permission = ""] = /deno run --unstable-net (--allow-net=\S+) /.exec(markdown) ?? [];
  const enough = permission.replace("1234", String(server.port));
  const run = (permission: string): Promise<{ status: number; stderr: string }> => {
    return runCommand([...sockbalWith([permission]), ...client(server.port, "--message", "hi")]);
  };
  assert.equal((await run(enough)).status, 0);
  for (const permission of [`--allow-net=127.0.0.1:${server.port}`, "--allow-net=0.0.0.0:0"]) {
    const { status, stderr } = await run(permission);
    assert.equal(status, 1);
    assert.match(stderr, /: sockbal was started without permission to connect there\n$/);
  }
});

Deno.test({
  name: `socat talks to a server, and a client to socat${skipWithout(SOCAT).why}`,
  ignore: skipWithout(SOCAT).ignore,
  fn: async () => {
    const socat = pathOf(SOCAT);
    await using server = await startServer("--handler", "upper");
    const asked = await runCommand([
      socat,
      "-t",
      "10",
      "-",
      `UDP:127.0.0.1:${server.port},shut-none,readbytes=6`,
    ], {
      input: new TextEncoder().encode("hello\n"),
    });
    assert.equal(asked.stdout, "HELLO\n");
    const port = freePort();
    await using peer = new RunningCommand([
      socat,
      "-d",
      "-d",
      `UDP-RECVFROM:${port},bind=127.0.0.1,fork`,
      "EXEC:rev",
    ]);
    await peer.sees(/receiving on/);
    const { status, stdout } = await sockbal(...client(port, "--message", "abc", "--message", "def"));
    assert.deepEqual([status, stdout], [0, "cba\nfed\n"]);
  },
});

Deno.test({
  name: `nc -u talks to a server, and a client to nc -u${skipWithout(NC).why}`,
  ignore: skipWithout(NC).ignore,
  fn: async () => {
    const nc = pathOf(NC);
    await using server = await startServer("--handler", "reverse");
    const asked = await runCommand([nc, "-u", "-w", "1", "127.0.0.1", String(server.port)], {
      input: new TextEncoder().encode("hello\n"),
    });
    assert.equal(asked.stdout, "olleh\n");
    const port = freePort();
    await using peer = new RunningCommand([nc, "-u", "-l", "-v", "127.0.0.1", String(port)], {
      input: new TextEncoder().encode("answer\n"),
    });
    await peer.sees(/Bound on/);
    const { status, stdout } = await sockbal(...client(port, "--message", "question"));
    assert.deepEqual([status, stdout], [0, "answer\n"]);
    await peer.sees(/^question\n/, "stdout");
  },
});
