import assert from "node:assert/strict";
import fc from "fast-check";
import { readAuthorities, readKeyPair } from "../../lib/config/certificates.ts";
import { pemBlocks } from "../../lib/config/pem.ts";

Deno.test("what is begun and ended in the same words is a block, whatever stands between blocks", () => {
  const block = (label: string, body: string): string =>
    `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
  const [a, b] = [block("CERTIFICATE", "QQ=="), block("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nQQ==")];
  assert.deepEqual(pemBlocks(`words\n${a}subject=-----\n${b}`), [
    { label: "CERTIFICATE", text: a },
    { label: "EC PRIVATE KEY", text: b },
  ]);
  assert.deepEqual(pemBlocks(`${a.slice(0, -8)}\n${b}`).map(({ label }) => label), ["EC PRIVATE KEY"]);
  assert.deepEqual(pemBlocks(`-----BEGIN A-----\n${a}-----END A-----`).map(({ label }) => label), [
    "CERTIFICATE",
  ]);
  assert.deepEqual(pemBlocks("-----BEGIN A-----\nx\n-----END B-----\n-----END A-----\n"), []);
});

Deno.test("any text is a pair or has a sentence of one line, and takes time in proportion to its size", () => {
  const parts = [
    "CERTIFICATE",
    "PRIVATE KEY",
    "-----BEGIN ",
    "-----END ",
    "-----",
    "\n",
    "QUJD",
    "MII",
    "é",
    "\0",
    "0\x82",
  ];
  const text = fc.array(fc.constantFrom(...parts), { maxLength: 30 }).map((it) => it.join(""));
  fc.assert(fc.property(text, text, (cert, key) => {
    const { faults, pair } = readKeyPair(cert, key, 0);
    assert.equal(pair, undefined);
    const { faults: others, authorities } = readAuthorities(cert, 0);
    assert.equal(authorities, undefined);
    const lines = [...faults.map(({ message }) => message), ...others];
    assert.ok(
      faults.length > 0 && others.length > 0 && lines.every((it) => /^[^\n\0]+$/.test(it)),
      lines.join(),
    );
  }));
  const startMs = performance.now();
  assert.deepEqual(pemBlocks("-----BEGIN CERTIFICATE-----".repeat(40_000)), []);
  assert.ok(performance.now() - startMs < 2_000);
});
