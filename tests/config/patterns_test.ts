/** The patterns of the JSON Schema accept what the parsers accept, but for what no pattern can count. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DIAL_PATTERN,
  DURATION_PATTERN,
  IP_PATTERN,
  IP_RANGE_PATTERN,
  LISTEN_PATTERN,
  SERVER_NAME_PATTERN,
  SERVER_NAMES_PATTERN,
  STREAM_LISTEN_PATTERN,
  SUBNET_PATTERN,
} from "../../lib/config/patterns.ts";
import { configJsonSchema } from "../../lib/config/schema.ts";
import { parseDialAddress, parseListenAddress, parseStreamListenAddress } from "../../lib/core/address.ts";
import { parseIPAddress } from "../../lib/core/ip_address.ts";
import { parseIPRange } from "../../lib/core/ip_range.ts";
import { parseDurationMs } from "../../lib/core/duration.ts";
import { whyNoServerNamePattern } from "../../lib/core/server_name.ts";
import { parseSubnet } from "../../lib/core/subnet.ts";

function isParsed(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What is refused for its size alone. */
function isTooMuch(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return false;
  } catch (error) {
    return /is too long; a duration is at most|has at most 10[37] bytes|does not begin at its first address|is IPv4 written as IPv6/
      .test(String(error));
  }
}

/** Joined parts come near to what is accepted, and near to where it ends. */
function text(parts: readonly string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...parts), { maxLength: 9 }).map((it) => it.join(""));
}

const durations = text(["1", "0", "30", "595", "9999999", "h", "m", "s", "ms", " ", "-", ".", "d", "\n"]);

const hosts = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((it) => `[${it}]`),
  fc.ipV6().map((it) => `[${it}%eth0]`),
  fc.ipV6().map((it) => `[fe80${it.slice(it.indexOf(":"))}%eth0]`),
  fc.domain(),
  text(["a", "b-", "_", ".", "0", "1", "0x", "f", "-", "127", "é", "*", "x".repeat(60), "udp", "unix"]),
  text(["[", "]", ":", "::", "1", "ffff", "a0", "127.0.0.1", "%", "eth0", "."]),
  fc.constantFrom(
    "",
    "256.0.0.1",
    "1.2.3",
    "01.2.3.4",
    "[::ffff:1.2.3.4]",
    "[1:2:3:4:5:6:7::]",
    "[::1",
    "udp:a",
  ),
);
const ports = fc.oneof(
  fc.nat({ max: 70_000 }).map(String),
  fc.constantFrom(
    "",
    "0",
    "00000",
    "000000",
    "00080",
    "65535",
    "65536",
    "-1",
    "+1",
    "8o",
    " 80",
    "80 ",
    "80\n",
  ),
);
const addresses = fc.oneof(
  fc.tuple(fc.constantFrom("", "udp:"), hosts, ports).map(([kind, host, port]) => `${kind}${host}:${port}`),
  hosts,
  text(["unix:", "udp:", "@", "/", "a", "é", "\0", "\n", ".sock", "x".repeat(50), ":", "80", "http://"]),
  fc.string(),
);

const subnets = fc.tuple(
  fc.oneof(fc.ipV4(), fc.constantFrom("10.0.0.0", "0.0.0.0", "::", "[::1]", "a", "")),
  text(["/", "0", "8", "32", "33", "08", "2", ":"]),
  fc.oneof(fc.constant(""), ports.map((port) => `:${port}`)),
).map((it) => it.join(""));

const ips = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV6().map((it) => `${it}%eth0`),
  fc.ipV6().map((it) => `fe80${it.slice(it.indexOf(":"))}`),
  fc.tuple(fc.integer({ min: 220, max: 256 }), fc.ipV4()).map(([first, it]) =>
    `${first}.${it.split(".").slice(1).join(".")}`
  ),
  fc.ipV6().map((it) => `ff${it}`),
  text(["0", ":", "::", "0.0.0.0", "1", "fe80", "10.0.0.5", "%", "ffff", "."]),
);

const ranges = fc.tuple(
  fc.oneof(ips, fc.constantFrom("10.0.0.0", "::", "2001:db8::", "::ffff:10.0.0.0")),
  text(["/", "0", "8", "32", "33", "08", "128", "129", "99", "2", ":", "-"]),
).map((it) => it.join(""));

const names = fc.oneof(
  fc.domain(),
  fc.tuple(fc.constantFrom("*.", ".", "*", "https://"), fc.domain()).map((it) => it.join("")),
  text([
    "a",
    "B-",
    "_",
    ".",
    "0",
    "1",
    "0x",
    "f",
    "-",
    "127",
    "é",
    "*",
    "*.",
    "x".repeat(60),
    ":",
    "/",
    "::1",
  ]),
);

/** As the schema reads a pattern. */
function readPattern(text: string): void {
  const why = whyNoServerNamePattern(text);
  if (why !== undefined) throw new Error(why);
}

/** As the schema reads a name. */
function readName(text: string): void {
  readPattern(text);
  if (text.startsWith("*")) throw new Error("several names");
}

const CASES = [
  ["range of IP addresses", IP_RANGE_PATTERN, parseIPRange, ranges],
  ["server name", SERVER_NAME_PATTERN, readName, names],
  ["server name, or of several", SERVER_NAMES_PATTERN, readPattern, names],
  ["IP address", IP_PATTERN, parseIPAddress, ips],
  ["duration", DURATION_PATTERN, parseDurationMs, durations],
  ["address to listen on", LISTEN_PATTERN, parseListenAddress, addresses],
  ["address to listen on for connections", STREAM_LISTEN_PATTERN, parseStreamListenAddress, addresses],
  ["address to dial", DIAL_PATTERN, parseDialAddress, addresses],
  ["subnet", SUBNET_PATTERN, parseSubnet, subnets],
] as const;

for (const [what, source, parse, texts] of CASES) {
  for (const flags of ["", "u"]) {
    Deno.test(`the pattern of a ${what} accepts what the parser accepts${flags && ", as Unicode too"}`, () => {
      const pattern = new RegExp(source, flags);
      fc.assert(
        fc.property(fc.oneof(texts, fc.string()), (it) => {
          const isAccepted = isParsed(parse, it);
          if (pattern.test(it) !== isAccepted) {
            assert.ok(!isAccepted && isTooMuch(parse, it), JSON.stringify(it));
          }
        }),
        { numRuns: 5_000 },
      );
    });
  }
}

Deno.test("every duration and every address of the schema has its pattern", () => {
  const seen = { duration: 0, address: 0 };
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { title, pattern, type } = value as Record<string, unknown>;
    if ((title === "duration" || title === "address") && type === "string") {
      seen[title]++;
      assert.equal(typeof pattern, "string");
    }
    Object.values(value).forEach(visit);
  };
  visit(configJsonSchema());
  assert.ok(seen.duration >= 8 && seen.address >= 4, JSON.stringify(seen));
});
