import assert from "node:assert/strict";
import fc from "fast-check";
import { parseDialAddress } from "../../lib/core/address.ts";
import { InputError } from "../../lib/core/errors.ts";
import { formatSubnet, isWithin, parseSubnet } from "../../lib/core/subnet.ts";

Deno.test("a subnet reads back as it was written", () => {
  for (
    const text of ["10.0.0.0/8:8080", "192.0.2.0/24", "0.0.0.0/0", "127.0.0.1/32:1", "128.0.0.0/1:65535"]
  ) {
    assert.equal(formatSubnet(parseSubnet(text)), text);
  }
});

Deno.test("what is no subnet is refused in one sentence that says what to write", () => {
  const cases = {
    "10.0.0.0": '"10.0.0.0" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0.0:80": '"10.0.0.0:80" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0.0/33": '"10.0.0.0/33" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0.0/08": '"10.0.0.0/08" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0/8": '"10.0.0/8" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0.0/8:65536": '"10.0.0.0/8:65536" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.0.0.0/8:0": '"10.0.0.0/8:0": port 0 cannot be dialled; write 1 to 65535',
    "api.internal/8:80": '"api.internal/8:80" is not a subnet; write it as 10.0.0.0/8:8080',
    "10.1.2.3/16:80": '"10.1.2.3/16:80" does not begin at its first address; write 10.1.0.0/16:80',
    "[fd00::]/8:80": '"[fd00::]/8:80": only subnets of IPv4 can be permitted; write it as 10.0.0.0/8:8080',
    "fd00::/8": '"fd00::/8": only subnets of IPv4 can be permitted; write it as 10.0.0.0/8:8080',
    "": '"" is not a subnet; write it as 10.0.0.0/8:8080',
  };
  for (const [text, message] of Object.entries(cases)) {
    assert.throws(() => parseSubnet(text), new InputError(message), text);
  }
});

Deno.test("an address is within a subnet when its first bits and its port are the same", () => {
  const isIn = (address: string, subnet: string): boolean => {
    return isWithin(parseDialAddress(address), parseSubnet(subnet));
  };
  assert.ok(isIn("10.255.255.255:80", "10.0.0.0/8:80"));
  assert.ok(isIn("10.0.0.0:80", "10.0.0.0/8:80"));
  assert.ok(isIn("10.1.1.1:81", "10.0.0.0/8"), "any port");
  assert.ok(isIn("192.0.2.129:1", "192.0.2.128/25:1"));
  assert.ok(isIn("255.1.2.3:1", "0.0.0.0/0"));
  assert.ok(!isIn("11.0.0.0:80", "10.0.0.0/8:80"));
  assert.ok(!isIn("9.255.255.255:80", "10.0.0.0/8:80"));
  assert.ok(!isIn("10.0.0.1:81", "10.0.0.0/8:80"));
  assert.ok(!isIn("192.0.2.127:1", "192.0.2.128/25:1"));
  assert.ok(!isIn("name.internal:80", "0.0.0.0/0"));
  assert.ok(!isIn("[::1]:80", "0.0.0.0/0"));
  assert.ok(!isIn("unix:/run/a.sock", "0.0.0.0/0"));
});

Deno.test("the runtime permits what is within a subnet, and nothing else", async () => {
  const address = fc.tuple(fc.ipV4(), fc.constantFrom(80, 81));
  const subnets = ["10.0.0.0/8:80", "64.0.0.0/2", "203.0.113.64/26:81"];
  const samples = [
    ...fc.sample(address, { numRuns: 200, seed: 1 }),
    ...["10.0.0.0", "10.255.255.255", "64.0.0.0", "127.255.255.255", "203.0.113.64", "203.0.113.127"]
      .flatMap((host) => [[host, 80], [host, 81]] as const),
  ].map(([host, port]) => `${host}:${port}`);
  const source = `
    const state = (host) => Deno.permissions.querySync({ name: "net", host }).state === "granted";
    self.onmessage = ({ data }) => self.postMessage(data.map(state));
  `;
  const worker = new Worker(`data:application/javascript,${encodeURIComponent(source)}`, {
    type: "module",
    deno: { permissions: { net: subnets } },
  });
  try {
    const answer = new Promise<boolean[]>((resolve) => worker.onmessage = ({ data }) => resolve(data));
    worker.postMessage(samples);
    const permitted = await answer;
    assert.ok(permitted.includes(true));
    samples.forEach((text, i) => {
      const isIn = subnets.some((subnet) => isWithin(parseDialAddress(text), parseSubnet(subnet)));
      assert.equal(permitted[i], isIn, text);
    });
  } finally {
    worker.terminate();
  }
});
