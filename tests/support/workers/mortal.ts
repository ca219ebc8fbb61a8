/** A data-plane worker that dies of an uncaught error when it is told to, by its name. */

import "../../../lib/dataplane/worker.ts";

/** @param channel Where it is told. Test files run in one process and name their workers alike: each file has a channel of its own. */
export function dieWhenTold(channel: string): void {
  const orders = new BroadcastChannel(channel);
  orders.onmessage = (event: MessageEvent<string>) => {
    if (event.data === self.name) throw new Error("told to die");
  };
}
