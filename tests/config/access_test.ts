/** `allow` and `deny`: what a configuration says wrong, and the one sentence that it gets. */

import { assertFaults } from "./faults.ts";

function withListener(keys: string, listen = ":1"): string {
  return `listeners: [{ listen: "${listen}", pool: web, ${keys} }]\npools: { web: { backends: [a:1] } }\n`;
}

Deno.test("what is no range of addresses is told what to write, at its place", () => {
  assertFaults(withListener("allow: [10.0.0.0/8, 10.1.2.3/16]"), [
    "1:60 listeners[0].allow[1]",
    '"10.1.2.3/16" does not begin at its first address; write 10.1.0.0/16, or 10.1.2.3 for one address',
  ]);
  assertFaults(
    withListener('allow: [a.example], deny: [10.0.0.0/33, "::ffff:10.0.0.0/104", 5]'),
    ["1:48 listeners[0].allow[0]", '"a.example" is not a range of IP addresses; write it as 10.0.0.0/8'],
    ["1:67 listeners[0].deny[0]", '"10.0.0.0/33": "33" is no number of bits; write 0 to 32'],
    ["1:80 listeners[0].deny[1]", "is IPv4 written as IPv6; write 10.0.0.0/8"],
    ["1:103 listeners[0].deny[2]", "5 is not a range of IP addresses"],
  );
  assertFaults(withListener("deny: 10.0.0.0/8"), [
    "1:46 listeners[0].deny",
    '"10.0.0.0/8" is not a list; list ranges of IP addresses, as [10.0.0.0/8]',
  ]);
});

Deno.test("who means every address is told the ranges that have them all", () => {
  const wanted = 'is not a range of IP addresses; for all write 0.0.0.0/0 and "::/0"';
  assertFaults(
    withListener('allow: [all, Any], deny: ["*"], proxy_protocol: { from: [all] }'),
    ["1:48 listeners[0].allow[0]", `"all" ${wanted}`],
    ["1:53 listeners[0].allow[1]", `"Any" ${wanted}`],
    ["1:66 listeners[0].deny[0]", `"*" ${wanted}`],
    ["1:97 listeners[0].proxy_protocol.from[0]", `"all" ${wanted}`],
  );
  assertFaults(withListener("allow: all"), [
    "1:47 listeners[0].allow",
    '"all" is not a list; list ranges of IP addresses, as [10.0.0.0/8]',
  ]);
  assertFaults(withListener('allow: [0.0.0.0/0, "::/0"]'));
  assertFaults(withListener('allow: [10.0.0.0/8], deny: [0.0.0.0/0, "::/0"]'));
});

Deno.test("ranges of the other family alone, which would let no one in, are a fault", () => {
  const fault = (family: string): string =>
    `only ${family} arrives at this address, and no range here is of ${family}; add one that is`;
  const [v4, v6] = ["allow: [10.0.0.0/8, 192.0.2.1]", 'allow: ["2001:db8::/32"]'];
  assertFaults(withListener(v4, "[::1]:1"), ["1:52 listeners[0].allow", fault("IPv6")]);
  assertFaults(withListener(v6, "127.0.0.1:1"), ["1:56 listeners[0].allow", fault("IPv4")]);
  assertFaults(withListener(v6, "0.0.0.0:1"), ["1:54 listeners[0].allow", fault("IPv4")]);
  assertFaults(withListener(v6, "[::ffff:127.0.0.1]:1"), ["1:65 listeners[0].allow", fault("IPv4")]);
  assertFaults(withListener(v6, "udp:127.0.0.1:1"), ["1:60 listeners[0].allow", fault("IPv4")]);
  assertFaults(withListener('proxy_protocol: { from: ["2001:db8::/32"] }', "127.0.0.1:1"), [
    "1:73 listeners[0].proxy_protocol.from",
    fault("IPv4"),
  ]);
});

Deno.test("ranges of the other family beside others, or where clients may be of either, are none", () => {
  assertFaults(withListener('allow: [10.0.0.0/8, "2001:db8::/32"], deny: ["::/0"]', "127.0.0.1:1"));
  for (const listen of [":1", "[::]:1", "localhost:1"]) {
    assertFaults(withListener("allow: [10.0.0.0/8]", listen));
  }
  assertFaults(
    withListener('allow: ["2001:db8::/32"], proxy_protocol: { from: [10.0.0.0/8] }', "127.0.0.1:1"),
  );
});

Deno.test("a range that stands twice, or in both lists, is a fault", () => {
  assertFaults(withListener("allow: [10.0.0.0/8, 10.0.0.0/8]"), [
    "1:60 listeners[0].allow[1]",
    '"10.0.0.0/8" stands here a second time',
  ]);
  assertFaults(withListener("allow: [10.0.0.0/8], deny: [10.0.0.0/8]"), [
    "1:48 listeners[0].allow[0]",
    '"10.0.0.0/8" stands in deny as well, which wins; leave one of them out',
  ]);
});

Deno.test("clients of a Unix socket have an address only where a PROXY header gives them one", () => {
  const fault = (key: string): string =>
    `clients of a Unix socket have no IP address; leave ${key} out (mode and group say who may connect), or take the address from a PROXY header`;
  assertFaults(
    withListener("allow: [10.0.0.0/8], deny: [10.0.0.7]", "unix:/run/a.sock"),
    ["1:54 listeners[0].allow", fault("allow")],
    ["1:75 listeners[0].deny", fault("deny")],
  );
  assertFaults(
    withListener("max_connections_per_source: 1, connection_rate: { per_second: 1 }", "unix:/run/a.sock"),
    ["1:54 listeners[0].max_connections_per_source", fault("max_connections_per_source")],
    ["1:85 listeners[0].connection_rate", fault("connection_rate")],
  );
  assertFaults(withListener("allow: [], deny: [], max_connections_per_source: 0", "unix:/run/a.sock"));
  assertFaults(withListener("allow: [10.0.0.0/8], proxy_protocol: { from: [unix] }", "unix:/run/a.sock"));
});

Deno.test("a rate is a whole number within bounds, and a burst needs one", () => {
  assertFaults(
    withListener("max_connections_per_source: -1, connection_rate: { per_second: 1.5, burst: 2000000 }"),
    ["1:68 listeners[0].max_connections_per_source", "-1 is too small; write 0 to 1000000"],
    ["1:103 listeners[0].connection_rate.per_second", '"1.5" is not a whole number; write 0 to 10000'],
    ["1:115 listeners[0].connection_rate.burst", "2000000 is too large; write 0 to 1000000"],
  );
  assertFaults(withListener("connection_rate: { burst: 5 }"), [
    "1:59 listeners[0].connection_rate.burst",
    "burst needs a rate; add per_second, or leave burst out",
  ]);
  assertFaults(withListener("connection_rate: 5"), [
    "1:57 listeners[0].connection_rate",
    "5 is not a map; write connection_rate: { per_second: 20, burst: 200 }",
  ]);
});

Deno.test("mode and group belong to a Unix socket, and are told what to write", () => {
  assertFaults(
    withListener('mode: "0660", group: 5'),
    ["1:40 listeners[0].mode", "only a Unix socket has a file; leave mode out"],
    ["1:54 listeners[0].group", "only a Unix socket has a file; leave group out"],
  );
  for (
    const [mode, shown] of [["0660", "660"], ["0o660", '"0o660"'], ['"0888"', '"0888"'], [
      "rw-rw----",
      '"rw-rw----"',
    ], ['"01777"', '"01777"']]
  ) {
    assertFaults(withListener(`mode: ${mode}`, "unix:/a"), [
      "1:51 listeners[0].mode",
      `${shown} is not the mode of a file; write it in octal and in quotes, as "0660"`,
    ]);
  }
  for (const group of ["-1", '"a b"', '"a:b"', "1.5"]) {
    assertFaults(withListener(`group: ${group}`, "unix:/a"), [
      "1:52 listeners[0].group",
      "is not a group; write its name, or its number",
    ]);
  }
  assertFaults(withListener('mode: "0660", group: www-data', "unix:/a"));
});

Deno.test("the admin side has a mode and a group with the same faults", () => {
  const withAdmin = (keys: string): string =>
    `listeners: [{ listen: ":1", pool: web }]\npools: { web: { backends: [a:1] } }\nadmin: { ${keys} }\n`;
  assertFaults(withAdmin('listen: "unix:/run/admin.sock", mode: "0660", group: www-data'));
  assertFaults(
    withAdmin('listen: 127.0.0.1:2, mode: "0660", group: 33'),
    ["3:31 admin.mode", "only a Unix socket has a file; leave mode out"],
    ["3:45 admin.group", "only a Unix socket has a file; leave group out"],
  );
  assertFaults(
    withAdmin('listen: "unix:/run/admin.sock", mode: 0660, group: -1'),
    ["3:48 admin.mode", '660 is not the mode of a file; write it in octal and in quotes, as "0660"'],
    ["3:61 admin.group", "-1 is not a group; write its name, or its number"],
  );
});

Deno.test("an abstract socket is a fault, for listeners and for backends", () => {
  const why = "an abstract socket has no file that says who may connect; write unix:/path/to.sock";
  assertFaults(
    'listeners: [{ listen: "unix:@a", pool: web }]\npools: { web: { backends: ["unix:@b"] } }\n',
    ["1:23 listeners[0].listen", `"unix:@a": ${why}`],
    ["2:28 pools.web.backends[0]", `"unix:@b": ${why}`],
  );
});
