import assert from "node:assert/strict";
import { SignalInbox } from "../../lib/core/signal_inbox.ts";

Deno.test("a signal that comes before its handler is kept for it, once", () => {
  const inbox = new SignalInbox();
  const handled: string[] = [];
  inbox.receive("SIGHUP");
  inbox.receive("SIGHUP");
  inbox.receive("SIGUSR2");
  inbox.handle("SIGHUP", () => handled.push("reload"));
  assert.deepEqual(handled, ["reload"]);
  inbox.handle("SIGUSR2", () => handled.push("reopen"));
  assert.deepEqual(handled, ["reload", "reopen"]);
});

Deno.test("a signal that comes after its handler is handled each time", () => {
  const inbox = new SignalInbox();
  let handled = 0;
  inbox.handle("SIGUSR1", () => handled++);
  assert.equal(handled, 0);
  inbox.receive("SIGUSR1");
  inbox.receive("SIGUSR1");
  assert.equal(handled, 2);
});
