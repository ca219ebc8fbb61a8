/**
 * A data-plane worker that asks a test before it says that it accepts, or accepts no more, and does what it is told then or
 * at any other time: go on, hold its tongue, die, or spin.
 */

import "../../../lib/dataplane/worker.ts";

/** The runtime cannot end a thread that spins, so it does not do so for ever. */
const SPIN_MS = 6_000;

function spin(): void {
  const untilMs = performance.now() + SPIN_MS;
  while (performance.now() < untilMs);
}

/** @param name Of the channel on which it asks. Test files run in one process and name their workers alike: each file has its own. */
export function askBefore(name: string): void {
  const channel = new BroadcastChannel(name);
  const post = self.postMessage.bind(self);
  let held: unknown;
  self.postMessage = (message: { type: string }) => {
    if (message.type !== "listening" && message.type !== "closed") return post(message);
    held = message;
    channel.postMessage({ from: self.name, says: message.type });
  };
  channel.onmessage = ({ data }: MessageEvent<{ to?: string; order?: string }>) => {
    if (data.to !== self.name) return;
    if (data.order === "go") post(held);
    if (data.order === "die") throw new Error("told to die");
    if (data.order === "spin") spin();
  };
}
