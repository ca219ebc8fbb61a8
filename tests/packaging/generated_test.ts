import assert from "node:assert/strict";
import { generatedFiles } from "../../tools/packaging.ts";
import { runCommand } from "../support/command.ts";
import { findProgram, pathOf, skipWithout } from "../support/packages.ts";

const root = new URL("../../", import.meta.url).pathname;
const at = (path: string): string => root + path;

const zsh = await findProgram("zsh", "zsh");
const fish = await findProgram("fish", "fish");
const man = await findProgram("man", "man-db");

for (const [path, text] of generatedFiles()) {
  Deno.test(`${path} is what \`deno task packaging\` makes of the flags`, async () => {
    assert.equal(await Deno.readTextFile(at(path)), text);
  });
}

/** What bash offers when the last of these words is completed. */
async function offeredByBash(...words: readonly string[]): Promise<string[]> {
  const script = `source ${at("packaging/completions/sockbal.bash")}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _sockbal; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await runCommand(["bash", "-c", script, "bash", ...words]);
  assert.equal(stderr, "");
  return stdout.trim().split("\n");
}

Deno.test("bash completes roles, the flags of the role that was chosen, and values that are words", async () => {
  assert.deepEqual(await offeredByBash("sockbal", "--r"), ["--role", "--rehearse"]);
  assert.deepEqual(await offeredByBash("sockbal", "--role", ""), ["server", "client", "balancer"]);
  assert.deepEqual(await offeredByBash("sockbal", "--role", "balancer", "--pr"), [
    "--print-schema",
    "--print-permissions",
  ]);
  assert.deepEqual(await offeredByBash("sockbal", "--role", "client", "--pr"), ["--proxy-protocol"]);
  assert.deepEqual(await offeredByBash("sockbal", "--role", "balancer", "--algorithm", "ran"), [
    "random_two",
    "random",
  ]);
});

Deno.test("bash completes files where a flag wants one", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/web.yaml`, "");
  assert.deepEqual(await offeredByBash("sockbal", "--role", "balancer", "--config", `${folder}/w`), [
    `${folder}/web.yaml`,
  ]);
  assert.deepEqual(await offeredByBash("sockbal", "--rehearse", `${folder}/w`), [`${folder}/web.yaml`]);
  await Deno.remove(folder, { recursive: true });
});

const needsFish = skipWithout(fish);
Deno.test(`fish completes the flags of the role that was chosen${needsFish.why}`, needsFish, async () => {
  const home = await Deno.makeTempDir();
  const script = `source ${
    at("packaging/completions/sockbal.fish")
  }; complete -C 'sockbal --role balancer --algo'
complete -C 'sockbal --role balancer --algorithm least'; complete -C 'sockbal --role server --han'`;
  const { stdout } = await runCommand([pathOf(fish), "--no-config", "-c", script], { env: { HOME: home } });
  const offered = stdout.trim().split("\n").map((line) => line.split("\t")[0]);
  assert.deepEqual(offered, ["--algorithm", "least_connections", "--handler"]);
  await Deno.remove(home, { recursive: true });
});

const needsZsh = skipWithout(zsh);
Deno.test(`zsh can read its completion${needsZsh.why}`, needsZsh, async () => {
  const { status, stderr } = await runCommand([pathOf(zsh), "-n", at("packaging/completions/_sockbal")]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
});

const needsMan = skipWithout(man);
Deno.test(`the manual page is set without a warning${needsMan.why}`, needsMan, async () => {
  const env = { LC_ALL: "C.UTF-8", MANWIDTH: "100" };
  const page = at("packaging/man/sockbal.1");
  const { status, stdout, stderr } = await runCommand([pathOf(man), "--warnings", "-l", page], { env });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, /--algorithm NAME/);
  assert.match(stdout, /EXIT STATUS/);
});
