/** A data-plane worker with Unix sockets that tries the files beside them, and says what came of it, then does its work. */

import "../../../lib/dataplane/worker.ts";
import type { ToWorker } from "../../../lib/dataplane/messages.ts";

async function attempt(what: string, action: () => unknown): Promise<void> {
  let outcome = "allowed";
  try {
    await action();
  } catch (error) {
    outcome = error instanceof Error ? error.name : String(error);
  }
  self.postMessage({ type: "warning", event: "attempted", fields: { what, outcome } });
}

/** Beside the socket of its listener. */
async function tryAll(folder: string): Promise<void> {
  const path = `${folder}/other.sock`;
  await attempt("dial another socket", () => Deno.connect({ transport: "unix", path }));
  await attempt(
    "listen at another path",
    () => Deno.listen({ transport: "unix", path: `${folder}/new.sock` }),
  );
  await attempt("read a file", () => Deno.readTextFile(`${folder}/file`));
  await attempt("write a file", () => Deno.writeTextFile(`${folder}/file`, ""));
  await attempt("list the folder", () => Deno.readDirSync(folder).next());
  await attempt("remove another socket", () => Deno.remove(path));
  await attempt("rename another socket", () => Deno.rename(path, `${folder}/file`));
  await attempt("dial TCP", () => Deno.connect({ hostname: "127.0.0.1", port: 9 }));
  await attempt("read the groups", () => Deno.readTextFile("/etc/group"));
}

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.type !== "start") return;
  const address = data.options.listeners[0]?.address;
  if (address?.transport === "unix") void tryAll(address.path.replace(/\/[^/]*$/, ""));
});
