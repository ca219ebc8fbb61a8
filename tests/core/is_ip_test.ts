/** Texts that are IP addresses, as the runtime's own `node:net` tells them from others. */

import assert from "node:assert/strict";
import net from "node:net";
import fc from "fast-check";
import { isIP, isIPv4, isIPv6 } from "../../lib/core/is_ip.ts";

function assertSame(text: string): void {
  const [v4, v6] = [net.isIPv4(text), net.isIPv6(text)];
  assert.deepEqual([isIPv4(text), isIPv6(text), isIP(text)], [v4, v6, v4 || v6], JSON.stringify(text));
}

Deno.test("addresses in all their forms are told from what looks like one", () => {
  [
    ...[
      "127.0.0.1",
      "0.0.0.0",
      "255.255.255.255",
      "256.0.0.1",
      "1.2.3",
      "1.2.3.4.5",
      "01.2.3.4",
      "1.2.3.04",
      "1.2.3.4 ",
    ],
    ...[
      "::",
      "::1",
      "1::",
      "1::8",
      "2001:db8::5",
      "2001:DB8::5",
      "1:2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7::",
      "::2:3:4:5:6:7:8",
    ],
    ...[
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      ":::",
      ":1",
      "1:",
      "12345::",
      "g::",
      "1:2:3:4:5:6:7",
      "1::2:3:4:5:6:7:8",
    ],
    ...[
      "::ffff:1.2.3.4",
      "::1.2.3.4",
      "1:2:3:4:5:6:1.2.3.4",
      "1:2:3:4:5:6:7:1.2.3.4",
      "::1.2.3",
      "::1.2.3.256",
      "::1.2.3.4:5",
    ],
    ...[
      "fe80::1%eth0",
      "fe80::1%1",
      "fe80::1%",
      "fe80::1%a%b",
      "fe80::1%eth0.5",
      "fe80::1%et h0",
      "1.2.3.4%eth0",
    ],
    ...[
      "",
      " ",
      "[::1]",
      "::1]",
      "::1/64",
      "0x7f.1",
      "2130706433",
      "localhost",
      "a.b",
      "::1\n",
      "1.2.3.4\n",
      "\u0661.2.3.4",
    ],
  ].forEach(assertSame);
});

Deno.test("whatever the text, it is the same as the runtime says", () => {
  const group = fc.oneof(
    fc.stringMatching(/^[0-9a-fA-F]{0,5}$/),
    fc.constantFrom("", "0", "1.2.3.4", "::", "%eth0"),
  );
  const near = fc.array(group, { maxLength: 10 }).map((groups) => groups.join(":"));
  const dotted = fc.array(fc.stringMatching(/^\d{0,4}$/), { maxLength: 5 }).map((parts) => parts.join("."));
  fc.assert(fc.property(fc.oneof(near, dotted, fc.ipV4(), fc.ipV6(), fc.string()), assertSame), {
    numRuns: 5_000,
  });
});
