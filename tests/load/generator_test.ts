import assert from "node:assert/strict";
import { echoAfter, FakeLoad } from "./fake_driver.ts";

function near(actual: number, expected: number, part: number): void {
  assert.ok(Math.abs(actual - expected) <= expected * part, `${actual} is not ${expected}`);
}

function errorOf(code: string): Error {
  return Object.assign(new Error(code), { code });
}

Deno.test("a closed loop sends the next request when the one before is answered, and ends with the last", () => {
  const rig = new FakeLoad({ requests: 5 }, echoAfter(() => 7));
  rig.runUntil(1_000);
  const { figures } = rig.generator;
  assert.equal(rig.doneMs, 35);
  assert.deepEqual([figures.requests, figures.errorCount, rig.links.length], [5, 0, 1]);
  assert.deepEqual([figures.sentBytes, figures.receivedBytes], [15, 15]);
  assert.ok(rig.links[0]?.isClosed);
});

Deno.test("only bytes that the system has taken are sent, whatever becomes of the request", () => {
  const rig = new FakeLoad({ timeoutMs: 3_000 }, { onSend: (link) => link.unsentBytes = 2 });
  rig.runUntil(1_500);
  assert.equal(rig.generator.take().sentBytes, 1);
  const [link] = rig.links;
  assert.ok(link !== undefined);
  link.unsentBytes = 1;
  assert.equal(rig.generator.take().sentBytes, 1);
  // Since then nothing has moved.
  rig.runUntil(4_700);
  assert.ok(link.isClosed);
  // The next request has begun, as far as its first byte.
  assert.equal(rig.generator.take().sentBytes, 1);
});

Deno.test("one slow request in a hundred shows above the 99th percentile, and nowhere below", () => {
  const rig = new FakeLoad({ requests: 1_000 }, echoAfter((n) => n % 100 === 50 ? 10 : 0.2));
  rig.runUntil(10_000);
  const { latencies } = rig.generator.figures;
  near(latencies.percentileMs(50), 0.2, 0.001);
  near(latencies.percentileMs(99), 0.2, 0.001);
  near(latencies.percentileMs(99.5), 10, 0.001);
});

Deno.test("an open loop counts from the time on the schedule, so that a stall shows with all that it has delayed", () => {
  // 100/s; at 2 s everything waits until 3 s.
  const stalled = (rig: FakeLoad): number => rig.nowMs >= 2_000 && rig.nowMs < 3_000 ? 3_000 - rig.nowMs : 1;
  const rig: FakeLoad = new FakeLoad({ rate: 100, durationMs: 10_000, connections: 1 }, {
    onSend: (link, rig) => rig.later(stalled(rig), () => link.reply("hi\n")),
  });
  rig.runUntil(20_000);
  const { figures } = rig.generator;
  assert.equal(figures.requests, 1_000);
  // The request of 2 s waits for a second, and the hundred after it for what is left of it, one after the other.
  near(figures.latencies.statistics().max, 1_000, 0.002);
  near(figures.latencies.percentileMs(95), 551, 0.002);
  near(figures.latencies.percentileMs(50), 1, 0.002);
});

Deno.test("a closed loop does not show it: that is why there is an open one", () => {
  const stalled = (rig: FakeLoad): number => rig.nowMs >= 2_000 && rig.nowMs < 3_000 ? 3_000 - rig.nowMs : 10;
  const rig = new FakeLoad({ durationMs: 10_000 }, {
    onSend: (link, rig) => rig.later(stalled(rig), () => link.reply("hi\n")),
  });
  rig.runUntil(20_000);
  near(rig.generator.figures.latencies.percentileMs(99.8), 10, 0.002);
});

Deno.test("requests that are due wait for a free connection, those of no connection until the timeout after the end", () => {
  // 1,000/s, and two connections that answer 100/s each.
  const plan = { rate: 1_000, durationMs: 1_000, connections: 2 };
  const patient = new FakeLoad(plan, echoAfter(() => 10));
  patient.runUntil(20_000);
  assert.deepEqual([patient.generator.figures.requests, patient.generator.unsent], [1_000, 0]);
  near(patient.doneMs ?? 0, 5_000, 0.001);
  near(patient.generator.figures.latencies.statistics().max, 4_000, 0.002);
  const rig = new FakeLoad({ ...plan, timeoutMs: 500 }, echoAfter(() => 10));
  rig.runUntil(20_000);
  const { figures, unsent } = rig.generator;
  near(figures.requests, 300, 0.01);
  assert.equal(figures.requests + figures.errors.timed_out + unsent, 1_000);
  assert.equal(rig.doneMs, 1_500);
});

Deno.test("a stall at the end of an open loop shows with all that it has delayed", () => {
  // 100/s; at 1.6 s everything waits until 2.8 s.
  const rig = new FakeLoad({ rate: 100, durationMs: 2_000 }, {
    onSend: (link, rig) => {
      const isStalled = rig.nowMs >= 1_600 && rig.nowMs < 2_800;
      rig.later(isStalled ? 2_800 - rig.nowMs : 1, () => link.reply("hi\n"));
    },
  });
  rig.runUntil(20_000);
  const { figures, unsent } = rig.generator;
  assert.deepEqual([figures.requests, figures.errorCount, unsent], [200, 0, 0]);
  // A fifth of all was due in it.
  near(figures.latencies.percentileMs(80), 1, 0.002);
  assert.ok(figures.latencies.percentileMs(81) > 800);
  near(figures.latencies.statistics().max, 1_200, 0.002);
  assert.deepEqual(rig.seconds, [0, 1]);
});

Deno.test("what is due at the end of an open loop is sent over connections that are dialled again", () => {
  const rig = new FakeLoad({ rate: 100, durationMs: 1_000, timeoutMs: 5_000, newConnection: true }, {
    onDial: (dial, rig) => {
      if (rig.nowMs >= 500 && rig.nowMs < 2_000) dial.failed(errorOf("ECONNREFUSED"));
      else rig.connect(dial);
    },
    ...echoAfter(() => 20),
  });
  rig.runUntil(20_000);
  const { figures, unsent } = rig.generator;
  assert.equal(unsent, 0);
  assert.deepEqual([figures.requests + figures.errors.refused, figures.errors.refused > 50], [100, true]);
});

Deno.test("an open loop that has a number of requests sends all of them, and no more", () => {
  const rig = new FakeLoad({ rate: 1_000, requests: 250, connections: 2 }, echoAfter(() => 10));
  rig.runUntil(5_000);
  assert.deepEqual([rig.generator.figures.requests, rig.generator.unsent], [250, 0]);
  near(rig.doneMs ?? 0, 1_250, 0.01);
});

Deno.test("a request that was due before the end is sent, also when the alarm for it comes with the end", () => {
  const rig = new FakeLoad({ rate: 100, durationMs: 1_000, connections: 4 }, echoAfter(() => 1));
  rig.runUntil(950);
  rig.nowMs = 1_050;
  rig.runUntil(2_000);
  assert.deepEqual([rig.generator.figures.requests, rig.generator.unsent], [100, 0]);
});

Deno.test("the free connections of an open loop take turns", () => {
  const rig = new FakeLoad({ rate: 100, requests: 40, connections: 4 }, echoAfter(() => 1));
  rig.runUntil(5_000);
  assert.deepEqual(rig.links.map(({ sent }) => sent.length), [10, 10, 10, 10]);
});

Deno.test("a pipeline keeps so many requests on their way on each connection", () => {
  let most = 0;
  const rig = new FakeLoad({ requests: 100, pipeline: 8 }, {
    onSend: (link, rig) => {
      most = Math.max(most, link.sent.length - rig.generator.figures.requests);
      rig.later(5, () => link.reply("hi\n"));
    },
  });
  rig.runUntil(5_000);
  assert.deepEqual([rig.generator.figures.requests, most, rig.links.length], [100, 8, 1]);
});

Deno.test("with a connection for each request none is used twice, and latency begins when it is open", () => {
  const rig = new FakeLoad({ requests: 6, connections: 2, newConnection: true }, {
    onDial: (dial, rig) => rig.later(4, () => rig.connect(dial)),
    onSend: (link, rig) => rig.later(3, () => link.reply("hi\n")),
  });
  rig.runUntil(1_000);
  const { figures } = rig.generator;
  assert.deepEqual([figures.requests, rig.links.length, rig.doneMs], [6, 6, 21]);
  assert.ok(rig.links.every(({ sent, isClosed }) => sent.length === 1 && isClosed));
  near(figures.latencies.statistics().max, 3, 0.002);
  near(figures.connects.statistics().max, 4, 0.002);
});

Deno.test("in an open loop with a connection for each request, latency has the connecting in it", () => {
  const rig = new FakeLoad({ rate: 100, requests: 3, newConnection: true }, {
    onDial: (dial, rig) => rig.later(4, () => rig.connect(dial)),
    onSend: (link, rig) => rig.later(3, () => link.reply("hi\n")),
  });
  rig.runUntil(1_000);
  near(rig.generator.figures.latencies.statistics().min, 7, 0.002);
});

Deno.test("a reply that ends with the connection is waited for after the sending side has ended", () => {
  const rig = new FakeLoad({ requests: 3, newConnection: true, expect: { kind: "eof" } }, {
    onSend: (link, rig) => {
      rig.later(2, () => link.reply("one\n"));
      rig.later(3, () => link.end());
    },
  });
  rig.runUntil(1_000);
  const { figures } = rig.generator;
  assert.deepEqual([figures.requests, figures.errorCount, figures.backends.get("one")], [3, 0, 3]);
  assert.ok(rig.links.every(({ hasEndedSending }) => hasEndedSending));
});

Deno.test("where no reply is waited for, a request is over when the system has taken it", () => {
  const rig: FakeLoad = new FakeLoad({ requests: 4, expect: { kind: "bytes", bytes: 0 } }, {
    onSend: (link, rig) => {
      link.isClear = false;
      rig.later(6, () => link.drain());
    },
  });
  rig.runUntil(1_000);
  assert.deepEqual([rig.generator.figures.requests, rig.doneMs], [4, 24]);
  near(rig.generator.figures.latencies.statistics().min, 6, 0.002);
});

Deno.test("each way in which requests fail is counted as its kind, once for each request", () => {
  let n = 0;
  const rig = new FakeLoad({ requests: 8, timeoutMs: 500, verify: true }, {
    onDial: (dial, rig) => {
      n++;
      if (n === 1) dial.failed(errorOf("ECONNREFUSED"));
      else if (n === 2) rig.later(9_000, () => rig.connect(dial));
      else if (n === 3) dial.failed(errorOf("EADDRNOTAVAIL"));
      else rig.connect(dial);
    },
    onSend: (link, rig) =>
      rig.later(0, () => {
        if (n === 4) link.reply("ho\n");
        else if (n === 5) link.lose(errorOf("ECONNRESET"));
        else if (n === 6) link.end();
        else if (n === 7) link.reply("h");
        else link.reply("hi\n");
      }),
  });
  rig.runUntil(60_000);
  const { figures } = rig.generator;
  assert.deepEqual(figures.errors, { refused: 1, reset: 1, timed_out: 2, short: 1, corrupt: 1, other: 1 });
  assert.equal(figures.requests, 1);
  assert.equal(figures.reason, "no local port left");
});

Deno.test("a peer that refuses is dialled again after a moment", () => {
  const rig = new FakeLoad({ durationMs: 1_000 }, { onDial: (dial) => dial.failed(errorOf("ECONNREFUSED")) });
  rig.runUntil(5_000);
  near(rig.generator.figures.errors.refused, 100, 0.02);
  assert.equal(rig.doneMs, 1_000);
});

Deno.test("a peer that ends a connection of which nothing was asked has failed no request", () => {
  const rig = new FakeLoad({ rate: 1, requests: 3, connections: 1 }, {
    onSend: (link, rig) => {
      rig.later(1, () => link.reply("hi\n"));
      rig.later(100, () => link.end());
    },
  });
  rig.runUntil(10_000);
  assert.deepEqual([rig.generator.figures.requests, rig.generator.figures.errorCount], [3, 0]);
});

Deno.test("a connection that was lost is opened once more, and not twice where a request is due before the next try", () => {
  const rig = new FakeLoad({ rate: 100, requests: 5 }, {
    onSend: (link, rig) => {
      rig.later(1, () => link.reply("hi\n"));
      // The next try is at 12 ms, and the next request at 10 ms.
      if (rig.links.length === 1) rig.later(2, () => link.end());
    },
  });
  rig.runUntil(30);
  assert.deepEqual([rig.dialsMs, rig.generator.open], [[0, 10], 1]);
  rig.runUntil(1_000);
  assert.deepEqual([rig.generator.figures.requests, rig.generator.figures.errorCount], [5, 0]);
  assert.ok(rig.links.every(({ isClosed }) => isClosed));
});

Deno.test("a request that is refused after the duration is the last", () => {
  const rig = new FakeLoad({ durationMs: 1_000 }, {
    onSend: (link, rig) => rig.later(300, () => link.lose(errorOf("ECONNREFUSED"))),
  });
  rig.runUntil(5_000);
  assert.deepEqual([rig.generator.figures.errors.refused, rig.doneMs], [4, 1_230]);
});

Deno.test("connections are opened during the ramp", () => {
  const rig = new FakeLoad({ durationMs: 3_000, connections: 4, rampMs: 2_000 }, echoAfter(() => 100));
  rig.runUntil(5_000);
  assert.deepEqual(rig.dialsMs, [0, 500, 1_000, 1_500]);
});

Deno.test("a load that is over during the ramp does not wait for the rest of it", () => {
  const rig = new FakeLoad({ requests: 10, connections: 4, rampMs: 60_000 }, echoAfter(() => 5));
  rig.runUntil(100_000);
  assert.equal(rig.doneMs, 50);
});

Deno.test("no request begins after the duration, and those before it may have their replies", () => {
  const rig = new FakeLoad({ durationMs: 1_000, connections: 3 }, echoAfter(() => 300));
  rig.runUntil(5_000);
  assert.deepEqual([rig.generator.figures.requests, rig.doneMs], [12, 1_200]);
  assert.deepEqual(rig.seconds, [0]);
});

Deno.test("a reply that never comes ends the run with its timeout", () => {
  const rig = new FakeLoad({ durationMs: 1_000, timeoutMs: 2_000 });
  rig.runUntil(10_000);
  assert.deepEqual([rig.generator.figures.errors.timed_out, rig.doneMs], [1, 2_000]);
});

Deno.test("a reply of which a little comes again and again has timed out when the timeout has passed since the end", () => {
  const rig = new FakeLoad({ durationMs: 1_000, timeoutMs: 500, request: { bytes: 1_000 } }, {
    onSend: (link, rig) => {
      const crumb = (): void => {
        link.reply(".");
        rig.later(100, crumb);
      };
      crumb();
    },
  });
  rig.runUntil(60_000);
  assert.deepEqual([rig.generator.figures.errors.timed_out, rig.doneMs], [1, 1_500]);
});

Deno.test("a load does not wait for connections once all of its requests are answered", () => {
  let dials = 0;
  const rig = new FakeLoad({ requests: 10, connections: 3, timeoutMs: 60_000 }, {
    ...echoAfter(() => 7),
    onDial: (dial, rig) => {
      if (++dials === 1) rig.connect(dial);
    },
  });
  rig.runUntil(100_000);
  const { requests, errorCount } = rig.generator.figures;
  assert.deepEqual([requests, errorCount, rig.doneMs], [10, 0, 70]);
});

Deno.test("a request of which the peer takes a little at a time has not timed out, and one that it takes no more of has", () => {
  const rig = new FakeLoad({ requests: 2, timeoutMs: 1_000, expect: { kind: "bytes", bytes: 0 } }, {
    onSend: (link, rig) => {
      link.isClear = false;
      link.unsentBytes = 5;
      for (const ms of [800, 1_600, 2_400]) rig.later(ms, () => link.unsentBytes--);
      if (rig.generator.figures.requests === 0) rig.later(3_200, () => link.drain());
    },
  });
  rig.runUntil(10_000);
  const { requests, errors } = rig.generator.figures;
  assert.deepEqual([requests, errors.timed_out], [1, 1]);
  // The second was sent at 3,200 ms, and the peer took something for the last time 2,400 ms later.
  near(rig.doneMs ?? 0, 6_600, 0.02);
});

Deno.test("a load that is stopped counts what was answered by then, and nothing that was under way", () => {
  const rig = new FakeLoad({ durationMs: 60_000, connections: 2 }, echoAfter(() => 300));
  rig.runUntil(1_000);
  rig.generator.stop();
  assert.deepEqual([rig.generator.figures.requests, rig.generator.figures.errorCount, rig.doneMs], [
    6,
    0,
    1_000,
  ]);
  assert.ok(rig.links.every(({ isClosed }) => isClosed));
});

Deno.test("held connections are silent, and one that is lost is counted and not opened again", () => {
  const rig = new FakeLoad({ durationMs: 5_000, connections: 3, hold: true });
  rig.later(1_000, () => rig.links[1]?.end());
  rig.later(2_000, () => rig.links[2]?.lose());
  rig.runUntil(4_000);
  const { figures, open } = rig.generator;
  assert.deepEqual([figures.errors.short, figures.errors.reset, open, rig.links.length], [1, 1, 1, 3]);
  assert.ok(rig.links.every(({ sent }) => sent.length === 0));
  rig.runUntil(9_000);
  assert.equal(rig.doneMs, 5_000);
});

Deno.test("fewer requests than connections open no more than they need", () => {
  const rig = new FakeLoad({ requests: 2, connections: 50 }, echoAfter(() => 5));
  rig.runUntil(1_000);
  assert.deepEqual([rig.links.length, rig.generator.figures.requests], [2, 2]);
});
