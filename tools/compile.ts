/**
 * `deno task compile`: dist/sockbal, one executable with its permissions baked in.
 *
 * The runtime base of the executable comes from Deno's own server, or from the file that DENORT_BIN names. Where neither
 * can be had, the reason and the other ways are said in one sentence. `--self-extracting` needs none of it.
 */

import { PERMISSIONS, V8_FLAGS } from "./permissions.ts";
import { writeSelfExtracting } from "./self_extracting.ts";

const SELF_EXTRACTING = "--self-extracting";

/** Further permissions, which begin with `--`, and where to write it. */
const further = Deno.args.filter((arg) => arg.startsWith("--") && arg !== SELF_EXTRACTING);
const [output = "dist/sockbal"] = Deno.args.filter((arg) => !arg.startsWith("--"));

if (Deno.args.includes(SELF_EXTRACTING)) {
  await writeSelfExtracting(output, further);
  Deno.exit(0);
}

const compile = new Deno.Command("deno", {
  args: [
    "compile",
    ...PERMISSIONS,
    ...further,
    V8_FLAGS,
    "--exclude-unused-npm",
    ...["--output", output],
    "main.ts",
  ],
  stdout: "piped",
  stderr: "piped",
});
const { code, stdout, stderr } = await compile.output();
const said = new TextDecoder().decode(stderr);
if (/Setting up base binary|Could not find denort/.test(said)) {
  await print(
    "The runtime base of `deno compile` cannot be had: set DENORT_BIN to a denort of this version of Deno, " +
      "or use `deno task compile --self-extracting`, `deno task install`, `deno task bundle` or `deno task npm` instead.\n",
  );
} else {
  await print(new TextDecoder().decode(stdout) + said);
}
Deno.exit(code);

async function print(text: string): Promise<void> {
  await new Blob([text]).stream().pipeTo(Deno.stderr.writable);
}
