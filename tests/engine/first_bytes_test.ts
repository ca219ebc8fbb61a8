// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What an engine reads of a client before there is a backend, and what it sends to a backend before there is a client's byte. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import fc from "fast-check";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import type { ClientSocket, FirstBytesEvents } from "../../lib/engine/contract.ts";
import { type Libc, openLibc } from "../../lib/engine/epoll/libc.ts";
import { settleAddresses } from "../../lib/engine/runtime/settle.ts";
import { bytes, pattern, readAll, readExactly, text } from "../support/bytes.ts";
import { makeRigged, RigSession } from "../support/engine_rig.ts";
import { onEachEngine } from "../support/engines.ts";

const NEWLINE = 10;

const MAX_BYTES = 8 * 1024;

/** As much as a ClientHello may have. */
const LARGE_BYTES = 20 * 1024;

function hasLine(bytes: Uint8Array): boolean {
  return bytes.includes(NEWLINE);
}

/** A client without a backend, and one that it may be given. */
class Early implements FirstBytesEvents {
  readonly client: ClientSocket;
  /** What was told, in order. */
  readonly told: string[] = [];
  /** Told with what was told last. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Called whenever something is told. */
  onTold: (how: string) => void = () => {};
  readonly #waiting: ((how: string) => void)[] = [];
  #heard = 0;

  constructor(client: ClientSocket) {
    this.client = client;
    client.readAhead(this);
  }

  /** Resolves with the first that is told and was not waited for yet. */
  hear(): Promise<string> {
    const how = this.told[this.#heard++];
    return how === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(how);
  }

  /** Asks, and resolves with what is told. */
  ask(isEnough = hasLine, maxBytes = MAX_BYTES): Promise<string> {
    this.client.firstBytes(isEnough, this, maxBytes);
    return this.hear();
  }

  enough(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#tell("enough");
  }

  tooFew(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.#tell("too few");
  }

  clientGone(): void {
    this.#tell("gone");
  }

  fault(fault: unknown): void {
    this.#tell(`fault: ${fault}`);
  }

  #tell(how: string): void {
    this.told.push(how);
    this.#waiting.shift()?.(how);
    this.onTold(how);
  }
}

interface EarlyRig extends AsyncDisposable {
  readonly port: number;
  /** The next connection that comes in. */
  accepted(): Promise<Early>;
  /** Connects. */
  connect(): Promise<{ readonly peer: Deno.TcpConn; readonly early: Early }>;
  /** Relays to a backend; gives the other end of that, and the session. */
  relay(client: ClientSocket, preface?: Uint8Array): Promise<{ back: Deno.TcpConn; session: RigSession }>;
}

async function startEarly(name: EngineName, libc?: Libc): Promise<EarlyRig> {
  const rigged = makeRigged(name, libc);
  const { engine } = rigged;
  const [[at = assert.fail()] = []] = settleAddresses([{ transport: "tcp", host: "127.0.0.1", port: 0 }]);
  const { port } = at.transport === "tcp" ? at : assert.fail();
  const listener = await rigged.listen(at);
  const backends = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  let next = Promise.withResolvers<Early>();
  const accepting = listener.accept({
    limiter: { enter: () => true, leave: () => {}, freed: () => Promise.resolve() },
    serve: (client) => next.resolve(new Early(client)),
    stop: stop.signal,
    onTrouble: () => {},
  });
  const accepted = async (): Promise<Early> => {
    const early = await next.promise;
    next = Promise.withResolvers();
    return early;
  };
  return {
    port,
    accepted,
    connect: async () => {
      const [peer, early] = await Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), accepted()]);
      peer.setNoDelay(true);
      return { peer, early };
    },
    relay: async (client, preface) => {
      const session = new RigSession(client);
      const { port } = backends.addr;
      const dialled = new Promise<void>((connected, fault) => {
        engine.dial([{ transport: "tcp", host: "127.0.0.1", port }], {
          connected: (backend) => {
            session.backend = backend;
            if (preface !== undefined) backend.preface(preface);
            engine.relay(client, backend, session);
            connected();
          },
          dialFailed: fault,
          fault,
        });
      });
      const [back] = await Promise.all([backends.accept(), dialled]);
      return { back, session };
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await accepting;
      backends.close();
      await rigged.close();
    },
  };
}

/** Everything that a backend is given of a client, until the end; the backend then ends as well. */
async function relayed(rig: EarlyRig, early: Early): Promise<{ got: Uint8Array; counted: number }> {
  const { back, session } = await rig.relay(early.client);
  const got = await readAll(back);
  back.close();
  await session.finishedOnce;
  return { got, counted: session.counted.in };
}

async function sendInPieces(
  peer: Deno.TcpConn,
  message: Uint8Array,
  sizes: readonly number[],
): Promise<void> {
  for (let sent = 0, i = 0; sent < message.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    await writeAll(peer, message.subarray(sent, sent + size));
    sent += size;
  }
  await peer.closeWrite();
}

onEachEngine(
  "first bytes are enough however they are cut, and all of them are relayed, with what follows",
  async (engine) => {
    await using rig = await startEarly(engine);
    const cut = fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.nat(3_000), fc.nat(3_000), cut, async (before, after, sizes) => {
        const { peer, early } = await rig.connect();
        const asked = early.ask();
        const message = bytes(`${"a".repeat(before)}\n${"b".repeat(after)}`);
        const sending = sendInPieces(peer, message, sizes);
        assert.equal(await asked, "enough");
        assert.ok(text(early.bytes).startsWith(`${"a".repeat(before)}\n`));
        const [{ got, counted }] = await Promise.all([relayed(rig, early), sending]);
        assert.deepEqual(got, message);
        assert.equal(counted, message.length);
        peer.close();
      }),
      { numRuns: 60 },
    );
  },
);

onEachEngine(
  "a header is skipped, what follows is asked for, and the relay begins after the header, however all is cut",
  async (engine) => {
    await using rig = await startEarly(engine);
    const cut = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 12 });
    const property = fc.asyncProperty(fc.nat(600), fc.nat(18_000), fc.nat(3_000), cut, async (...it) => {
      const [head, hello, rest, sizes] = it;
      const { peer, early } = await rig.connect();
      const header = `${"h".repeat(head)}\n`;
      const payload = `${"a".repeat(hello)}\n${"b".repeat(rest)}`;
      const asked = early.ask();
      const sending = sendInPieces(peer, bytes(header + payload), sizes);
      assert.equal(await asked, "enough");
      early.client.skip(header.length);
      assert.equal(await early.ask(hasLine, LARGE_BYTES), "enough");
      assert.ok(payload.startsWith(text(early.bytes)));
      const [{ got, counted }] = await Promise.all([relayed(rig, early), sending]);
      assert.equal(text(got), payload);
      assert.equal(counted, payload.length);
      peer.close();
    });
    // The last two: byte by byte, and all in one segment.
    const examples: [number, number, number, number[]][] = [[40, 400, 20, [1]], [40, 400, 20, [9_000]]];
    await fc.assert(property, { numRuns: 40, examples });
  },
);

onEachEngine("what follows a header may be asked for from within the answer", async (engine) => {
  await using rig = await startEarly(engine);
  for (const message of ["header\nhello\nmore", "header\n"]) {
    const { peer, early } = await rig.connect();
    early.onTold = (how) => {
      if (how !== "enough" || early.told.length > 1) return;
      early.client.skip("header\n".length);
      early.client.firstBytes(hasLine, early, MAX_BYTES);
    };
    const first = early.ask();
    await writeAll(peer, bytes(message));
    assert.equal(await first, "enough");
    if (message === "header\n") await writeAll(peer, bytes("hello\nmore"));
    await peer.closeWrite();
    assert.equal(await early.hear(), "enough");
    assert.deepEqual(early.told, ["enough", "enough"]);
    assert.ok("hello\nmore".startsWith(text(early.bytes)));
    assert.equal(text((await relayed(rig, early)).got), "hello\nmore");
    peer.close();
  }
});

onEachEngine("a client may end right after its header, or within what follows it", async (engine) => {
  await using rig = await startEarly(engine);
  for (const rest of ["", "hel"]) {
    const { peer, early } = await rig.connect();
    const first = early.ask();
    await writeAll(peer, bytes(`header\n${rest}`));
    await peer.closeWrite();
    assert.equal(await first, "enough");
    early.client.skip("header\n".length);
    assert.equal(await early.ask(), "too few");
    assert.equal(text(early.bytes), rest);
    assert.equal(text((await relayed(rig, early)).got), rest);
    peer.close();
  }
});

onEachEngine("no more can be skipped than was read", async (engine) => {
  await using rig = await startEarly(engine);
  const { peer, early } = await rig.connect();
  assert.throws(() => early.client.skip(1), RangeError);
  const asked = early.ask();
  await writeAll(peer, bytes("line\n"));
  assert.equal(await asked, "enough");
  early.client.skip(3);
  assert.throws(() => early.client.skip(3), /Cannot skip 3 bytes: 2 were read/);
  early.client.skip(2);
  early.client.close();
  peer.close();
});

onEachEngine(
  "a client that ends before it has sent enough is told of, and its bytes and end are relayed all the same",
  async (engine) => {
    await using rig = await startEarly(engine);
    for (const message of ["", "no line", "x".repeat(1_024), "x".repeat(2_500)]) {
      const { peer, early } = await rig.connect();
      const asked = early.ask();
      await writeAll(peer, bytes(message));
      await peer.closeWrite();
      assert.equal(await asked, "too few");
      assert.equal(text(early.bytes), message);
      assert.equal(text((await relayed(rig, early)).got), message);
      peer.close();
    }
  },
);

onEachEngine(
  "no more is read ahead than was asked for, a few KiB or more, and what comes after that is relayed too",
  async (engine) => {
    await using rig = await startEarly(engine);
    for (const maxBytes of [MAX_BYTES, LARGE_BYTES, 5_000]) {
      const { peer, early } = await rig.connect();
      const asked = early.ask((bytes) => bytes.length > maxBytes, maxBytes);
      const message = pattern(100_000);
      const sending = writeAll(peer, message).then(() => peer.closeWrite());
      assert.equal(await asked, "too few");
      assert.equal(early.bytes.length, maxBytes);
      assert.deepEqual((await relayed(rig, early)).got, message);
      await sending;
      peer.close();
    }
  },
);

onEachEngine(
  "a client that resets while its first bytes are waited for, or after them, is told of",
  async (engine) => {
    await using rig = await startEarly(engine);
    for (const sent of ["", "half", "header\n", "header\nhalf", "header\nhello\n"]) {
      const lines = sent.split("\n").length - 1;
      const peer = connectSocket(rig.port, "127.0.0.1");
      const [early] = await Promise.all([rig.accepted(), once(peer, "connect")]);
      let how = early.ask();
      if (sent !== "") await new Promise((resolve) => peer.write(sent, resolve));
      if (lines > 0) {
        assert.equal(await how, "enough");
        early.client.skip("header\n".length);
        how = early.ask();
      }
      if (lines > 1) {
        assert.equal(await how, "enough");
        how = early.hear();
      }
      const closed = once(peer, "close");
      peer.resetAndDestroy();
      assert.equal(await how, "gone");
      await closed;
      early.client.close();
      assert.deepEqual(early.told, [...Array(lines).fill("enough"), "gone"]);
    }
  },
);

Deno.test("a reset in the same event as the bytes before it is told of after them, however often they are asked for (epoll)", async () => {
  const libc = openLibc();
  let isPaused = false;
  const epoll_wait: Libc["epoll_wait"] = (...it) => isPaused ? 0 : libc.epoll_wait(...it);
  {
    await using rig = await startEarly("epoll", { ...libc, epoll_wait });
    for (const asks of [1, 2, 3]) {
      const peer = connectSocket(rig.port, "127.0.0.1");
      const [early] = await Promise.all([rig.accepted(), once(peer, "connect")]);
      early.onTold = () => {
        if (early.told.length >= asks) return;
        early.client.skip("header\n".length);
        early.client.firstBytes(hasLine, early, MAX_BYTES);
      };
      const first = early.ask();
      isPaused = true;
      await new Promise((resolve) => peer.write("header\nheader\nhello\n", resolve));
      const closed = once(peer, "close");
      peer.resetAndDestroy();
      await closed;
      isPaused = false;
      assert.equal(await first, "enough");
      for (let asked = 1; asked < asks; asked++) assert.equal(await early.hear(), "enough");
      assert.equal(await early.hear(), "gone");
      early.client.close();
    }
  }
});

onEachEngine("a socket that was closed asks and tells nothing more", async (engine) => {
  await using rig = await startEarly(engine);
  const { peer, early } = await rig.connect();
  void early.ask(() => assert.fail("it is closed"));
  await writeAll(peer, bytes("whole\n"));
  early.client.close();
  assert.equal(await peer.read(new Uint8Array(1)).catch(() => null), null);
  peer.close();
  // One that comes after it has been through all turns of the loop.
  const other = await rig.connect();
  const asked = other.early.ask();
  await writeAll(other.peer, bytes("line\n"));
  assert.equal(await asked, "enough");
  assert.deepEqual(early.told, []);
  other.early.client.close();
  other.peer.close();
});

onEachEngine("a question that throws is a fault, and the client can be closed", async (engine) => {
  await using rig = await startEarly(engine);
  const { peer, early } = await rig.connect();
  const asked = early.ask(() => {
    throw new Error("no");
  });
  await writeAll(peer, bytes("x"));
  assert.equal(await asked, "fault: Error: no");
  early.client.close();
  assert.equal(await peer.read(new Uint8Array(1)), null);
  peer.close();
});

onEachEngine("a preface is sent before what the client has sent, and is not counted", async (engine) => {
  await using rig = await startEarly(engine);
  const { peer, early } = await rig.connect();
  await writeAll(peer, bytes("hello"));
  const { back, session } = await rig.relay(early.client, bytes("PREFACE "));
  assert.equal(text(await readExactly(back, 13)), "PREFACE hello");
  await writeAll(back, bytes("answer"));
  assert.equal(text(await readExactly(peer, 6)), "answer");
  await peer.closeWrite();
  assert.equal(text(await readAll(back)), "");
  back.close();
  await session.finishedOnce;
  assert.deepEqual(session.counted, { in: 5, out: 6 });
  peer.close();
});

onEachEngine(
  "a preface comes before first bytes that were read, and after a header that was skipped",
  async (engine) => {
    await using rig = await startEarly(engine);
    const { peer, early } = await rig.connect();
    const asked = early.ask();
    await writeAll(peer, bytes("header\nhello"));
    await peer.closeWrite();
    assert.equal(await asked, "enough");
    early.client.skip("header\n".length);
    const { back, session } = await rig.relay(early.client, bytes("PREFACE "));
    assert.equal(text(await readAll(back)), "PREFACE hello");
    back.close();
    await session.finishedOnce;
    assert.equal(session.counted.in, 5);
    peer.close();
  },
);

onEachEngine("a client that says nothing gets the answer to the preface", async (engine) => {
  await using rig = await startEarly(engine);
  const { peer, early } = await rig.connect();
  const { back, session } = await rig.relay(early.client, bytes("HELLO"));
  assert.equal(text(await readExactly(back, 5)), "HELLO");
  await writeAll(back, bytes("welcome"));
  back.close();
  assert.equal(text(await readAll(peer)), "welcome");
  peer.close();
  await session.finishedOnce;
});
