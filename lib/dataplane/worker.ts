/// <reference lib="deno.worker" />

/**
 * The entry of a data-plane worker: messages of the control plane to calls of the {@linkcode Plane}.
 *
 * A worker has the permission to listen on its listeners and to dial its backends, and no other.
 */

import { reasonOf } from "../core/errors.ts";
import { loadEngine } from "./load_engine.ts";
import type { FromWorker, PlaneOptions, ToWorker } from "./messages.ts";
import { Plane } from "./plane.ts";

let plane: Plane | undefined;
/** Resolves when there is one, or cannot be. */
let making: Promise<unknown> | undefined;

function tell(message: FromWorker): void {
  self.postMessage(message);
}

/** Tells why and ends the worker. Without this the runtime would print a stack trace and end the whole process. */
function die(error: unknown): void {
  tell({ type: "died", reason: reasonOf(error) });
  self.close();
}

async function makePlane(options: PlaneOptions): Promise<Plane> {
  return new Plane(options, tell, await loadEngine(options.engine, options.recordSessions !== false));
}

async function handle(message: ToWorker): Promise<void> {
  if (plane === undefined) await making;
  switch (message.type) {
    case "start":
      making = makePlane(message.options).then((made) => plane = made);
      await making;
      return await plane?.start();
    case "accept":
      return plane?.accept();
    case "take_over":
      return plane?.takeOver(message.flows);
    case "flows_over":
      return plane?.handover.forget(message.flows);
    case "passed_on":
      return plane?.handover.passedOn(message.count);
    case "deliver":
      return plane?.handover.deliver(message.datagrams);
    case "make_room":
      return plane?.handover.makeRoom(message.listener, message.count);
    case "drain":
      await plane?.drain(message.isReplaced, message.readElsewhere);
      return self.close();
    case "read_elsewhere":
      return plane?.handover.leaveTo(message.listeners);
    case "close":
      return plane?.closeSessions();
    case "adjust":
      return plane?.adjust(message.request, message.pools);
    case "renew":
      return plane?.renew(message.request, message.keys);
    case "list_sessions":
      return plane?.listSessions(message.request, message.limit, message.filter);
    case "end_session":
      return plane?.endSession(message.request, message.id, message.reason);
    case "end_sessions":
      return plane?.endSessions(message.backend, message.reason);
  }
}

self.addEventListener("error", (event) => {
  event.preventDefault();
  die(event.error);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  die(event.reason);
});
self.addEventListener("message", (event: MessageEvent<ToWorker>) => {
  handle(event.data).catch(die);
});
