import assert from "node:assert/strict";
import fc from "fast-check";
import { compileExpectation, isRegex } from "../../lib/core/expectation.ts";
import { InputError } from "../../lib/core/errors.ts";

/** The sentence with which an expectation is refused. */
function refusal(expectation: string): string {
  try {
    compileExpectation(expectation);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.message;
  }
  return "accepted";
}

Deno.test("what stands between slashes is a regular expression, everything else a text", () => {
  for (const regex of ["/a/", "/^\\+OK/", "/a/b/", "///"]) assert.ok(isRegex(regex), regex);
  for (const text of ["", "/", "a", "/a", "a/", " /a/", "/a/ "]) assert.ok(!isRegex(text), text);
});

Deno.test("a text is expected letter by letter, anywhere in the answer", () => {
  const isExpected = compileExpectation("+OK (.*)");
  assert.ok(isExpected("220\r\n+OK (.*)\r\n"));
  assert.ok(!isExpected("+OK ready"));
  assert.ok(!isExpected("+ok (.*)"));
  assert.ok(!isExpected(""));
});

Deno.test("a regular expression is looked for anywhere in the answer", () => {
  const cases: [expectation: string, answer: string, isExpected: boolean][] = [
    ["/^\\+(OK|PONG)/", "+PONG\r\n", true],
    ["/^\\+(OK|PONG)/", "x+PONG\r\n", false],
    ["/PONG$/", "+PONG", true],
    ["/PONG$/", "+PONG\r\n", false],
    ["/(?m)ready.?$/", "not\r\nready\r\nyet", true],
    ["/(?i)READY/", "is ready", true],
    ["/a.b/", "a\nb", false],
    ["/(?s)a.b/", "a\nb", true],
    ["/usr/bin/", "in usr/bin.", true],
    ["/usr\\/bin/", "in usr/bin.", true],
    ["/^.$/", "😀", true],
    ["/\\p{Greek}/", "λ", true],
    ["/(?<name>a)/", "a", true],
    ["///", "/", true],
  ];
  for (const [expectation, answer, isExpected] of cases) {
    assert.equal(compileExpectation(expectation)(answer), isExpected, `${expectation} in ${answer}`);
  }
});

Deno.test("an expression that a matcher which backtracks never finishes is done at once", () => {
  const answer = "a".repeat(16 * 1024) + "!";
  const startedMs = performance.now();
  for (const expectation of ["/^(a+)+$/", "/^(a|aa)+$/", "/(a*)*[bc]/", "/(.*)(.*)(.*)(.*)[^a!]/"]) {
    assert.equal(compileExpectation(expectation)(answer), false);
  }
  assert.ok(performance.now() - startedMs < 3_000);
});

for (
  const [what, expectation, message] of [
    ["nothing", "", "an empty text is in every answer; write what to wait for"],
    ["an empty expression", "//", '"//" is in every answer; write what to wait for'],
    ["an open bracket", "/[a/", '"/[a/" is not a regular expression of RE2: missing closing ] "[a"'],
    [
      "a lonely star",
      "/*/",
      '"/*/" is not a regular expression of RE2: missing argument to repetition operator "*"',
    ],
    [
      "a back-reference",
      "/(a)\\1/",
      String
        .raw`"/(a)\\1/" is not a regular expression of RE2: it refers back with "\\1", which cannot be matched in linear time`,
    ],
    [
      "a back-reference by name",
      "/(?<n>a)\\k<n>/",
      String
        .raw`"/(?<n>a)\\k<n>/" is not a regular expression of RE2: it refers back with "\\k", which cannot be matched in linear time`,
    ],
    [
      "look-ahead",
      "/a(?!b)/",
      '"/a(?!b)/" is not a regular expression of RE2: it looks ahead or back with "(?!", which cannot be matched in linear time',
    ],
    [
      "look-behind",
      "/(?<=b)a/",
      '"/(?<=b)a/" is not a regular expression of RE2: it looks ahead or back with "(?<=", which cannot be matched in linear time',
    ],
    [
      "flags of other languages",
      "/ready/i",
      '"/ready/i": flags do not follow a regular expression; write "/(?i)ready/"',
    ],
    [
      "flags without use here",
      "/ready/g",
      '"/ready/g": flags do not follow a regular expression; write "/ready/"',
    ],
    ["both", "/ready/gm", '"/ready/gm": flags do not follow a regular expression; write "/(?m)ready/"'],
    ["a text that is too long", "x".repeat(1025), "longer than 1024 characters; write the part that matters"],
  ] as const
) {
  Deno.test(`refused with a sentence: ${what}`, () => {
    assert.equal(refusal(expectation), message);
  });
}

Deno.test("a refusal has no character that could steer a terminal", () => {
  assert.match(refusal("/[\x1b\x9b\x7f/"), /^[\x20-\x7e]+$/);
});

Deno.test("whatever is written, it is either compiled or refused with one sentence, and then finds or does not", () => {
  const unit = fc.constantFrom(..."ab1(){}[]?*+|^$\\.,:=!<>-/PpkdnxQE \n".split(""), "\u{1f600}", "\ud800");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), fc.string(), (source, answer) => {
      for (const expectation of [source, `/${source}/`]) {
        if (refusal(expectation) !== "accepted") continue;
        assert.equal(typeof compileExpectation(expectation)(answer), "boolean");
      }
    }),
    { numRuns: 2_000 },
  );
});
