import assert from "node:assert/strict";
import fc from "fast-check";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { InputError } from "../../lib/core/errors.ts";
import { command, flags, refusal, shown } from "./arguments.ts";

Deno.test("a role is chosen in any form", () => {
  for (const role of ["server", "balancer"] as const) {
    for (const form of ["--role ", "--role=", "-r "]) assert.equal(command(`${form}${role}`).run, role);
  }
  assert.equal(command("-r client --connect a:1").run, "client");
  assert.equal(command("--demo").run, "demo");
  assert.equal(command("--rehearse p.yaml").run, "rehearsal");
  assert.equal(command("--log-level=debug --rehearse=p.yaml").run, "rehearsal");
});

Deno.test("the role may stand anywhere among its flags", () => {
  const expected = command("--role server --listen :80 --handler http");
  for (
    const line of [
      "--listen :80 --role server --handler http",
      "--listen :80 --handler http --role server",
      "--listen=:80 --handler=http --role=server",
      "--handler http -r server --listen :80",
    ]
  ) assert.deepEqual(command(line), expected, line);
});

Deno.test("without a role the user is told to choose one", () => {
  for (const line of ["", "pilot", "--listen :80", "--log-level debug", "--zzzzzzzz"]) {
    assert.match(
      refusal(line),
      /^choose a role: --role server, --role client, --role balancer; or try --demo/,
    );
  }
});

Deno.test("without a role a mistyped flag names the nearest", () => {
  const near: [string, string][] = [
    ["--rol server", "unknown flag --rol; did you mean --role?"],
    ["--roel=server", "unknown flag --roel=server; did you mean --role?"],
    ["--hepl", "unknown flag --hepl; did you mean --help?"],
    ["help", "unknown flag help; did you mean --help?"],
    ["--versoin", "unknown flag --versoin; did you mean --version?"],
    ["--dmo", "unknown flag --dmo; did you mean --demo?"],
    ["--rehears p.yaml", "unknown flag --rehears; did you mean --rehearse?"],
  ];
  for (const [line, message] of near) assert.equal(refusal(line), message);
});

Deno.test("-r glued to its value is not taken for -h", () => {
  assert.doesNotMatch(refusal("-r=server"), /did you mean -h/);
});

Deno.test("an unknown role names the nearest, or all there are", () => {
  assert.equal(refusal("--role sever"), 'unknown role "sever"; did you mean server?');
  assert.equal(refusal("--role=balanser"), 'unknown role "balanser"; did you mean balancer?');
  assert.equal(refusal("-r cleint"), 'unknown role "cleint"; did you mean client?');
  assert.equal(refusal("--role xyz"), 'unknown role "xyz"; use server, client, balancer');
  assert.equal(refusal("--role SERVER"), 'unknown role "SERVER"; use server, client, balancer');
});

Deno.test("a role in the place of a command names the flag", () => {
  for (const role of ["server", "client", "balancer"]) {
    assert.equal(refusal(`${role} --check`), `${role} is a role; write --role ${role}`);
  }
});

Deno.test("a role without a value, or several roles, are refused", () => {
  for (const line of ["--role", "--role=", "-r", "--listen :80 --role"]) {
    assert.equal(refusal(line), "--role needs a value; use server, client, balancer");
  }
  for (const line of ["--role server --role client", "--role server -r server", "--demo --demo"]) {
    assert.match(refusal(line), /is given twice$/);
  }
  for (const line of ["--demo --role server", "--role server --demo"]) {
    assert.match(refusal(line), /^(--role is a flag of the server|unknown flag --demo)/);
  }
});

Deno.test("the version is shown, with a role or without", () => {
  for (const line of ["--version", "--role server --version", "--demo --version"]) {
    assert.equal(shown(line), "sockbal 1.2.3\n");
  }
});

Deno.test("a value may look like a flag", () => {
  const line = "--role client --connect a:1 --message";
  for (const value of ["-x", "--role", "--demo", "--help", "-h", "--version", "--", "-r"]) {
    assert.deepEqual(flags(`${line} ${value}`).messages, [value]);
    assert.deepEqual(flags(`${line}=${value}`).messages, [value]);
  }
});

Deno.test("a value that looks like a role chooses none, even when it stands before the role", () => {
  for (const value of ["--demo", "--role", "--role=server"]) {
    assert.deepEqual(flags(`--message ${value} --role client --connect a:1`).messages, [value]);
  }
});

Deno.test("whatever stands on the command line, it is a command or an InputError of one line", () => {
  const word = fc.oneof(
    fc.constantFrom(
      ..."--role -r server client balancer --demo --rehearse --help -h --version --listen --connect a:1 :80 --message"
        .split(" "),
      ..."--handler http --backend --config --check --workers 4 --log-level debug --role=server -- - = --="
        .split(" "),
    ),
    fc.string({ maxLength: 8 }),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      try {
        const found = parseCommandLine(args, "1.2.3");
        assert.ok(["server", "client", "balancer", "demo", "rehearsal", "show"].includes(found.run));
      } catch (error) {
        assert.ok(error instanceof InputError, `${error instanceof Error ? error.stack : error}`);
      }
    }),
    { numRuns: 500 },
  );
});
