import assert from "node:assert/strict";
import { LOG_FORMATS, LOG_LEVELS } from "../../lib/core/log.ts";
import { flags, refusal } from "./arguments.ts";

const PARTS = [
  "--role server",
  "--role client --connect a:1",
  "--role balancer",
  "--demo",
  "--rehearse p.yaml",
];

Deno.test("every role takes the flags of the log, in both forms", () => {
  for (const part of PARTS) {
    for (const level of LOG_LEVELS) {
      assert.equal(flags(`${part} --log-level ${level}`).logLevel, level);
      assert.equal(flags(`${part} --log-level=${level}`).logLevel, level);
    }
    for (const format of LOG_FORMATS) {
      assert.equal(flags(`${part} --log-format ${format}`).logFormat, format);
      assert.equal(flags(`--log-format=${format} ${part}`).logFormat, format);
    }
    assert.equal(flags(part).logLevel, undefined);
    assert.equal(flags(part).logFormat, undefined);
  }
});

Deno.test("an unknown level or format is refused with those that there are", () => {
  for (const part of PARTS) {
    assert.equal(
      refusal(`${part} --log-level loud`),
      '--log-level: "loud" is not known; use debug, info, warn, error',
    );
    assert.equal(
      refusal(`${part} --log-level warning`),
      '--log-level: "warning" is not known; did you mean warn?',
    );
    assert.equal(refusal(`${part} --log-format xml`), '--log-format: "xml" is not known; use text, json');
  }
});

Deno.test("an unknown flag names the nearest of its role", () => {
  const near: [string, string][] = [
    ["--role server --handlr http", "--handler"],
    ["--role server --max-conections 5", "--max-connections"],
    ["--role server --idle-timout 5s", "--idle-timeout"],
    ["--role client --connect a:1 --mesage x", "--message"],
    ["--role balancer --confg x", "--config"],
    ["--role balancer --backends a:1", "--backend"],
    ["--role balancer --chek", "--check"],
    ["--role balancer --worker 4", "--workers"],
    ["--demo --log-levl debug", "--log-level"],
    ["--rehearse=p.yaml --log-levl debug", "--log-level"],
  ];
  for (const [line, meant] of near) {
    const unknown = line.split(" ").find((it) =>
      it.startsWith("--") && !/^--(role|connect|demo|rehearse=.*)$/.test(it)
    );
    assert.equal(refusal(line), `unknown flag ${unknown}; did you mean ${meant}?`);
  }
  assert.equal(refusal("--role server --zzzzzzzz"), "unknown flag --zzzzzzzz");
});

Deno.test("a flag by its name in another program names the one that is meant, where the role has it", () => {
  for (
    const [flag, meant] of [
      ["-k", "--insecure"],
      ["--cacert x.pem", "--ca"],
      ["--cacert=x.pem", "--ca"],
      ["--sni a.example", "--server-name"],
    ] as const
  ) {
    const name = flag.split(/[ =]/)[0];
    assert.equal(
      refusal(`--role client --connect a:1 --tls ${flag}`),
      `unknown flag ${name}; did you mean ${meant}?`,
    );
    assert.doesNotMatch(refusal(`--role balancer ${flag}`), new RegExp(`${meant}\\?`));
  }
});

Deno.test("a flag of another role is refused", () => {
  const others: [string, string][] = [
    ["--role server", "--connect a:1"],
    ["--role server", "--message x"],
    ["--role server", "--backend a:1"],
    ["--role server", "--config x"],
    ["--role server", "--check"],
    ["--role server", "--timeout 5s"],
    ["--role client --connect a:1", "--listen :80"],
    ["--role client --connect a:1", "--handler http"],
    ["--role client --connect a:1", "--algorithm first"],
    ["--role balancer", "--handler http"],
    ["--role balancer", "--connect a:1"],
    ["--role balancer", "--name x"],
    ["--role balancer", "--idle-timeout 5s"],
    ["--demo", "--listen :80"],
    ["--demo", "--config x"],
    ["--rehearse p.yaml", "--config x"],
  ];
  for (const [part, flag] of others) {
    for (const line of [`${part} ${flag}`, `${flag} ${part}`, `${part} ${flag.replace(" ", "=")}`]) {
      assert.match(
        refusal(line),
        new RegExp(`^${flag.split(" ")[0]} is a flag of the (server|client|balancer)$`),
      );
    }
  }
});

Deno.test("a word that belongs to no flag is refused", () => {
  for (const part of PARTS) {
    assert.match(refusal(`${part} word`), /^unexpected argument "word"$/);
    assert.match(refusal(`${part} -- word`), /^unexpected argument "word"$/);
  }
});
