/** A data-plane worker that dies of an uncaught error when it is told to, by its name. */

import "../../../lib/dataplane/worker.ts";

const orders = new BroadcastChannel("sockbal-mortal-worker");
orders.onmessage = (event: MessageEvent<string>) => {
  if (event.data === self.name) throw new Error("told to die");
};
