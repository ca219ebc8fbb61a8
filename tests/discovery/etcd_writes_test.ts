import assert from "node:assert/strict";
import { EtcdClient, type EtcdEntry } from "../../lib/discovery/etcd_client.ts";
import {
  type EtcdCondition,
  type EtcdWrite,
  grantLease,
  keepLease,
  revokeLease,
  writeIf,
} from "../../lib/discovery/etcd_writes.ts";
import { testWithEtcd } from "../support/etcd.ts";

/** A client, and what is read and written with it. */
interface Session {
  readonly client: EtcdClient;
  readonly stop: AbortSignal;
  readonly write: (
    writes: readonly EtcdWrite[],
    conditions?: readonly EtcdCondition[],
  ) => Promise<string | undefined>;
  readonly read: () => Promise<EtcdEntry[]>;
}

function testWithClient(sentence: string, run: (session: Session) => Promise<void>): void {
  testWithEtcd(sentence, async (etcd) => {
    const stop = new AbortController().signal;
    using client = await EtcdClient.open(etcd.endpoint, { endpoints: [] }, stop);
    await run({
      client,
      stop,
      write: (writes, conditions = []) => writeIf(client, conditions, writes, stop),
      read: async () => (await client.range("/a/", 100, stop)).entries,
    });
  });
}

testWithClient("keys are put and deleted, several in one step", async ({ read, write }) => {
  const first = await write([{ key: "/a/1", value: "ä" }, { key: "/a/2", value: "" }]);
  assert(first !== undefined);
  assert.deepEqual(await read(), [
    { key: "/a/1", value: "ä", revision: first },
    { key: "/a/2", value: "", revision: first },
  ]);
  const second = await write([{ key: "/a/1" }, { key: "/a/3", value: "3" }]);
  assert.deepEqual(await read(), [
    { key: "/a/2", value: "", revision: first },
    { key: "/a/3", value: "3", revision: second },
  ]);
});

testWithClient(
  "of two writers who have read the same, the second writes nothing",
  async ({ read, write }) => {
    const none = [{ key: "/a/1", revision: "0" }];
    const first = await write([{ key: "/a/1", value: "one" }], none);
    assert(first !== undefined);
    assert.equal(
      await write([{ key: "/a/1", value: "other" }, { key: "/a/2", value: "other" }], none),
      undefined,
    );
    assert.deepEqual(await read(), [{ key: "/a/1", value: "one", revision: first }]);
    const second = await write([{ key: "/a/1", value: "two" }], [{ key: "/a/1", revision: first }]);
    assert.deepEqual(await read(), [{ key: "/a/1", value: "two", revision: second }]);
  },
);

testWithClient(
  "a key goes with its lease, and a lease that is gone is told",
  async ({ client, stop, read, write }) => {
    const { id, ttlS } = await grantLease(client, 10, stop);
    assert.equal(ttlS, 10);
    await write([{ key: "/a/1", value: "one", lease: id }]);
    assert.equal(await keepLease(client, id, stop), true);
    assert.equal((await read()).length, 1);
    await revokeLease(client, id, stop);
    assert.deepEqual(await read(), []);
    assert.equal(await keepLease(client, id, stop), false);
    await assert.rejects(revokeLease(client, id, stop), /refuses: .*lease not found/);
    await assert.rejects(write([{ key: "/a/1", value: "one", lease: id }]), /refuses: .*lease not found/);
  },
);
