import assert from "node:assert/strict";
import { type Address, formatAddress, parseListenAddress } from "../../lib/core/address.ts";
import type { Holder } from "../../lib/core/overlap.ts";
import { settleAddresses } from "../../lib/engine/runtime/settle.ts";

function listen(text: string): Deno.TcpListener & { readonly holder: Holder } {
  const address = parseListenAddress(text);
  assert.ok(address.transport === "tcp");
  const listener = Deno.listen({ hostname: address.host, port: address.port });
  const { hostname: host, port } = listener.addr;
  const holder = {
    address: { transport: "tcp", host, port } as const,
    what: `listener "old"`,
    isStaying: false,
    isShareable: true,
  };
  return Object.assign(listener, { holder });
}

function settle(texts: readonly string[], held: readonly Holder[] = []): string[][] {
  return settleAddresses(texts.map(parseListenAddress), held).map((it) => it.map(formatAddress));
}

function portOf(address: Address | undefined): number {
  assert.ok(address?.transport === "tcp");
  return address.port;
}

Deno.test("two ports 0 are settled to different ports", () => {
  const [[one] = [], [two] = []] = settleAddresses(["127.0.0.1:0", "127.0.0.1:0"].map(parseListenAddress));
  assert.notEqual(portOf(one), portOf(two));
});

Deno.test("one address in two spellings, or inside the other, is not shared silently", () => {
  const [[free] = []] = settleAddresses([parseListenAddress(":0")]);
  const port = portOf(free);
  const spellings: [string, string, string][] = [
    [`:${port}`, `[::]:${port}`, `[::]:${port}`],
    [`[::1]:${port}`, `[0:0:0:0:0:0:0:1]:${port}`, `[::1]:${port}`],
    [`127.0.0.1:${port}`, `:${port}`, `127.0.0.1:${port}`],
    [`0.0.0.0:${port}`, `127.0.0.1:${port}`, `0.0.0.0:${port}`],
    [`127.0.0.1:${port}`, `[::ffff:127.0.0.1]:${port}`, `127.0.0.1:${port}`],
  ];
  for (const [first, second, holder] of spellings) {
    assert.throws(() => settle([first, second]), {
      name: "RunError",
      message: `cannot listen on ${formatAddress(parseListenAddress(second))}: port ${port} is in use, ` +
        `by another listener of this program on ${holder}`,
    });
  }
});

Deno.test("a socket that is held is used again, however its address is spelled", () => {
  const spellings: [string, string][] = [
    ["127.0.0.1:0", "127.0.0.1"],
    ["[::1]:0", "[0:0::1]"],
    ["[::]:0", ""],
    ["[::]:0", "[::]"],
  ];
  for (const [held, host] of spellings) {
    using listener = listen(held);
    const { port } = listener.addr;
    assert.deepEqual(settle([`${host}:${port}`], [listener.holder]), [[
      formatAddress(listener.holder.address),
    ]]);
    // But not by two.
    assert.throws(() => settle([`${host}:${port}`, `${host}:${port}`], [listener.holder]), /is in use/);
    assert.throws(() => settle([`${host}:${port}`], [{ ...listener.holder, isStaying: true }]), /is in use/);
    assert.throws(
      () => settle([`${host}:${port}`], [{ ...listener.holder, isShareable: false }]),
      /is in use/,
    );
  }
});

Deno.test("an address that overlaps one that is held needs a restart, and the sentence names what is in the way", () => {
  const overlaps: [string, string][] = [
    ["127.0.0.1:0", ""],
    ["[::]:0", "127.0.0.1"],
    ["0.0.0.0:0", "[::]"],
    ["[::]:0", "0.0.0.0"],
    ["[::]:0", "[::1]"],
    ["[::1]:0", "[::]"],
    ["0.0.0.0:0", "127.0.0.1"],
    ["0.0.0.0:0", ""],
  ];
  for (const [held, host] of overlaps) {
    using listener = listen(held);
    const { port } = listener.addr;
    assert.throws(() => settle([`${host}:${port}`], [listener.holder]), {
      message:
        `cannot listen on ${host}:${port}: port ${port} is in use, by listener "old" of this program on ` +
        `${formatAddress(listener.holder.address)}; a change from there to here needs a restart`,
    });
  }
});

Deno.test("addresses of one port that do not overlap stand beside each other", () => {
  using listener = listen("127.0.0.1:0");
  const { port } = listener.addr;
  assert.deepEqual(settle([`127.0.0.2:${port}`, `[::1]:${port}`], [listener.holder]), [
    [`127.0.0.2:${port}`],
    [`[::1]:${port}`],
  ]);
});

Deno.test("a port that another program has is not said to be ours", () => {
  using stranger = listen("127.0.0.1:0");
  using ours = listen("127.0.0.1:0");
  const address = formatAddress(stranger.holder.address);
  assert.throws(() => settle([address], [ours.holder]), {
    message:
      `cannot listen on ${address}: port ${stranger.addr.port} is in use, by another program or by another listener`,
  });
});
