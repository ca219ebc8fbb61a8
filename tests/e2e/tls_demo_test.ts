// deno-lint-ignore-file no-await-in-loop -- the steps of the demo follow one another

/** The demo of docs/tls.md with a certificate of one command: its commands as they stand there, but for the ports. */

import assert from "node:assert/strict";
import { noOpenssl } from "../support/certificates.ts";
import { runCommand, RunningCommand, sockbalOn } from "../support/command.ts";
import { ENGINES } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";

const document = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));

/** The lines of a kind in the section of the demo, with these ports. */
function linesOf(language: string, ports: ReadonlyMap<string, number>): string[] {
  const [section = ""] = document.slice(document.indexOf("## A demo with a certificate")).split(
    /\n## (?!A demo)/,
  );
  const blocks = [...section.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].filter(([, of]) => of === language);
  const text = blocks.map(([, , block = ""]) => block).join("");
  return text.replaceAll(/\b84\d\d\b/g, (port) => String(ports.get(port))).trimEnd().split("\n");
}

for (const engine of ENGINES) {
  Deno.test({
    name: `the demo of TLS does what its document says (${engine})${noOpenssl.why}`,
    ignore: noOpenssl.ignore,
    fn: async () => {
      const cwd = await Deno.makeTempDir();
      const ports = new Map([["8443", refusedPort()], ["8444", refusedPort()]]);
      const [openssl = "", server = "", balancer = "", ...clients] = linesOf("sh", ports);
      const command = (line: string): string[] => [...sockbalOn(engine), ...line.split(" ").slice(1)];
      await Deno.writeTextFile(`${cwd}/demo.yaml`, linesOf("yaml", ports).join("\n"));
      assert.equal((await runCommand(openssl.split(" "), { cwd })).status, 0);

      await using one = new RunningCommand(command(server), { cwd });
      await one.sees(/ ready /);
      await using middle = new RunningCommand(command(balancer), { cwd });
      await middle.sees(/ ready /);
      for (const line of clients) {
        const { status, stdout, stderr } = await runCommand(command(line), { cwd });
        assert.deepEqual([status, stderr], [0, ""], line);
        assert.match(stdout, /^one \(client 127\.0\.0\.1:\d+\)\n$/);
        const [, client] = /client (\S+)\)/.exec(stdout) ?? [];
        await middle.sees(new RegExp(` session .*client=${client} `));
      }
      const [first = ""] = clients;
      const refused = await runCommand(command(first.replace(" --ca demo.pem", "")), { cwd });
      const [said = ""] = linesOf("", ports);
      assert.deepEqual([refused.status, refused.stderr], [1, `${said}\n`]);
      await Deno.remove(cwd, { recursive: true });
    },
  });
}
