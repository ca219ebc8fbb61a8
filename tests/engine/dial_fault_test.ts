import assert from "node:assert/strict";
import { describeDialFault, isDescriptorShortage, shortageOf } from "../../lib/engine/dial_fault.ts";

function error(code: string, message = "Something (os error 1)"): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("what this machine has run out of is not the backend's fault", () => {
  const cases = {
    EMFILE: "no open file left",
    ENFILE: "no open file left on this machine",
    EADDRNOTAVAIL: "no local port left",
    EADDRINUSE: "no local port left",
    ENOBUFS: "no memory for sockets left",
    ENOMEM: "no memory left",
  };
  for (const [code, words] of Object.entries(cases)) {
    assert.equal(shortageOf(error(code)), words);
    assert.equal(describeDialFault(error(code)), words);
    assert.equal(isDescriptorShortage(error(code)), code === "EMFILE" || code === "ENFILE");
  }
});

Deno.test("everything else is why a backend cannot be reached", () => {
  const codes = [
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "EACCES",
    "ENOENT",
    "EAGAIN",
  ];
  for (const code of codes) assert.equal(shortageOf(error(code)), undefined, code);
  assert.equal(shortageOf(new Error("EMFILE")), undefined);
  assert.equal(shortageOf("EMFILE"), undefined);
  assert.equal(
    describeDialFault(error("EHOSTUNREACH", "No route to host (os error 113)")),
    "no route to host",
  );
  assert.equal(describeDialFault(error("ECONNREFUSED")), "connection refused");
});
