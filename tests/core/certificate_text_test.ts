/** Names of certificates as text. */

import assert from "node:assert/strict";
import { namesOf, subjectText } from "../../lib/core/certificate_text.ts";

Deno.test("a subject is its attributes between commas, as far as the runtime tells them apart", () => {
  const cases: Record<string, string> = {
    "": "",
    "CN=www.example.com": "CN=www.example.com",
    "CN=a\nO=b\nO=c\n1.2.3.4=d": "CN=a, O=b, O=c, 1.2.3.4=d",
    "CN=B\xc3\xbccher\nOU=a + O=b": "CN=Bücher, OU=a + O=b",
    "CN=a, O=b": "CN=a\\, O=b",
    "O=Acme, Inc.\nCN=a": "O=Acme\\, Inc., CN=a",
    "CN=a\\, O=b": "CN=a\\\\\\, O=b",
    "CN=a\nsecond line\n\nO=b": "CN=a\\0Asecond line\\0A, O=b",
    "CN=a\n=b": "CN=a\\0A=b",
  };
  for (const [lines, text] of Object.entries(cases)) assert.equal(subjectText(lines), text);
});

Deno.test("names are those of hosts, in small letters", () => {
  assert.deepEqual(namesOf("DNS:A.example, IP Address:10.0.0.1, URI:http://x, DNS:*.b.example"), [
    "a.example",
    "10.0.0.1",
    "*.b.example",
  ]);
});
