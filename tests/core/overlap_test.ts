import assert from "node:assert/strict";
import { parseListenAddress } from "../../lib/core/address.ts";
import { canonicalHost, overlappingHolder, sameHolder } from "../../lib/core/overlap.ts";

function holder(text: string): Parameters<typeof sameHolder>[1][number] {
  return { address: parseListenAddress(text), what: "it", isStaying: false, isShareable: true };
}

Deno.test("a host has one spelling", () => {
  const spellings: [string, string][] = [
    ["", "::"],
    ["0:0::0", "::"],
    ["::0001", "::1"],
    ["2001:DB8::A", "2001:db8::a"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["fe80:0::1%eth0", "fe80::1%eth0"],
    ["10.0.0.1", "10.0.0.1"],
    ["localhost", "localhost"],
  ];
  for (const [host, canonical] of spellings) assert.equal(canonicalHost(host), canonical);
});

Deno.test("an address is in the way of those that the system refuses beside it", () => {
  const cases: [string, string, "same" | "overlap" | "beside"][] = [
    ["127.0.0.1:80", "127.0.0.1:80", "same"],
    ["127.0.0.1:80", "127.0.0.1:81", "beside"],
    ["127.0.0.1:80", "127.0.0.2:80", "beside"],
    ["127.0.0.1:80", "[::1]:80", "beside"],
    ["127.0.0.1:80", "0.0.0.0:80", "overlap"],
    ["127.0.0.1:80", ":80", "overlap"],
    ["[::1]:80", ":80", "overlap"],
    ["[::1]:80", "0.0.0.0:80", "beside"],
    ["0.0.0.0:80", "[::]:80", "overlap"],
    [":80", "[::]:80", "same"],
    ["[::1]:80", "[0:0::1]:80", "same"],
    ["[fe80::1%eth0]:80", "[fe80::1%eth0]:80", "same"],
    ["[fe80::1%eth0]:80", "[fe80::1%eth1]:80", "beside"],
    ["[fe80::1%eth0]:80", "[fe80::1%2]:80", "overlap"],
    ["[fe80::1%eth0]:80", "[fe80::2%2]:80", "beside"],
    ["[fe80::1%eth0]:80", ":80", "overlap"],
    ["unix:/a", "unix:/a", "same"],
    ["unix:/a", "unix:/b", "beside"],
    ["unix:/a", ":80", "beside"],
  ];
  for (const [one, other, how] of cases) {
    for (const [wanted, held] of [[one, other], [other, one]] as const) {
      const [address, holders] = [parseListenAddress(wanted), [holder(held)]];
      assert.equal(sameHolder(address, holders) !== undefined, how === "same", `${wanted} and ${held}`);
      assert.equal(
        overlappingHolder(address, holders) !== undefined,
        how !== "beside",
        `${wanted} and ${held}`,
      );
    }
  }
});
