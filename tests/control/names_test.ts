import assert from "node:assert/strict";
import { Names, type NamesOptions } from "../../lib/control/names.ts";
import type { TcpAddress } from "../../lib/core/address.ts";
import { NameError } from "../../lib/core/lookup.ts";
import { until } from "../support/balancer.ts";

function at(host: string, port = 80): TcpAddress {
  return { transport: "tcp", host, port };
}

/** A resolver that knows what the test tells it. */
function resolver(options: NamesOptions = {}): {
  readonly names: Names;
  readonly known: Map<string, readonly string[] | Error | Promise<readonly string[]>>;
  readonly asked: string[];
} {
  const known = new Map<string, readonly string[] | Error | Promise<readonly string[]>>();
  const asked: string[] = [];
  const names = new Names({
    lookUp: async (name) => {
      asked.push(name);
      const found = await known.get(name) ?? new NameError(name, "there is no such name", true);
      if (found instanceof Error) throw found;
      return found;
    },
    isAllowed: () => true,
    ...options,
  });
  return { names, known, asked };
}

Deno.test("a name stands for all its addresses, in their order, and is looked up once for all its ports", async () => {
  const { names, known, asked } = resolver();
  known.set("a", ["::1", "127.0.0.1"]);
  await names.refresh([at("a", 80), at("a", 81)]);
  assert.deepEqual(names.of(at("a", 81)), { addresses: [at("::1", 81), at("127.0.0.1", 81)] });
  assert.deepEqual(asked, ["a"]);
});

Deno.test("the same addresses in another order are no news", async () => {
  const { names, known } = resolver();
  known.set("a", ["10.0.0.1", "10.0.0.2"]);
  await names.refresh([at("a")]);
  known.set("a", ["10.0.0.2", "10.0.0.1"]);
  await names.refresh([at("a")]);
  assert.deepEqual(names.of(at("a")), { addresses: [at("10.0.0.1"), at("10.0.0.2")] });
  known.set("a", ["10.0.0.2", "10.0.0.3"]);
  await names.refresh([at("a")]);
  assert.deepEqual(names.of(at("a")), { addresses: [at("10.0.0.2"), at("10.0.0.3")] });
});

Deno.test("a name without an address says why, and harms no other", async () => {
  const { names, known } = resolver();
  known.set("good", ["10.0.0.1"]);
  await names.refresh([at("gone"), at("good")]);
  assert.deepEqual(names.of(at("gone")), { reason: `cannot resolve the name "gone": there is no such name` });
  assert.deepEqual(names.of(at("good")), { addresses: [at("10.0.0.1")] });
});

Deno.test("no answer is waited for beyond the deadline, no name is asked for twice at once, and a late answer counts", async () => {
  const { names, known, asked } = resolver({ deadlineMs: 20 });
  const answer = Promise.withResolvers<readonly string[]>();
  known.set("slow", answer.promise);
  known.set("good", ["10.0.0.1"]);
  await names.refresh([at("slow"), at("good")]);
  await names.refresh([at("slow")]);
  assert.deepEqual(names.of(at("slow")), {
    reason: `cannot resolve the name "slow": no name server answered within 20ms`,
  });
  assert.deepEqual(names.of(at("good")), { addresses: [at("10.0.0.1")] });
  assert.deepEqual(asked, ["slow", "good"]);
  answer.resolve(["10.0.0.9"]);
  await until(() => "addresses" in names.of(at("slow")), "the late answer is there");
});

Deno.test("hundreds of names that are not answered leave room for other work, and all are asked in the end", async () => {
  const { names, known, asked } = resolver({ deadlineMs: 5 });
  const answer = Promise.withResolvers<readonly string[]>();
  const all = Array.from({ length: 600 }, (_, i) => at(`slow${i}`));
  for (const { host } of all) known.set(host, answer.promise);
  await names.refresh(all);
  assert.equal(asked.length, 256);
  answer.resolve(["10.0.0.9"]);
  await until(() => all.every((it) => "addresses" in names.of(it)), "all are resolved");
  assert.equal(asked.length, 600);
});

Deno.test("a name server that does not answer takes no backend away; one that knows no such name does", async () => {
  const { names, known } = resolver();
  known.set("a", ["10.0.0.1"]);
  await names.refresh([at("a")]);
  assert.equal(names.staleReason(at("a")), undefined);
  known.set("a", new NameError("a", "no name server answered", false));
  await names.refresh([at("a")]);
  assert.deepEqual(names.of(at("a")), { addresses: [at("10.0.0.1")] });
  assert.equal(names.staleReason(at("a")), `cannot resolve the name "a": no name server answered`);
  known.delete("a");
  await names.refresh([at("a")]);
  assert.deepEqual(names.of(at("a")), { reason: `cannot resolve the name "a": there is no such name` });
  assert.equal(names.staleReason(at("a")), undefined);
});

Deno.test("a name that is no longer used is forgotten", async () => {
  const { names, known } = resolver();
  known.set("a", ["10.0.0.1"]);
  await names.refresh([at("a")]);
  names.keepOnly([]);
  assert.ok("reason" in names.of(at("a")));
});

Deno.test("an address that may not be dialled is left out, and a name of no other says so", async () => {
  const { names, known } = resolver({ isAllowed: (host) => host === "10.0.0.2:80" });
  known.set("a", ["10.0.0.1", "10.0.0.2"]);
  known.set("b", ["::1"]);
  await names.refresh([at("a"), at("b")]);
  assert.deepEqual(names.of(at("a")), { addresses: [at("10.0.0.2")] });
  assert.deepEqual(names.of(at("b")), {
    reason: `the name "b" is ::1, which sockbal was started without permission to dial`,
  });
});

Deno.test("a stop waits for no answer", async () => {
  const { names, known } = resolver({ deadlineMs: 60_000 });
  known.set("slow", new Promise(() => {}));
  const refreshed = names.refresh([at("slow")]);
  names.stop();
  await refreshed;
});
