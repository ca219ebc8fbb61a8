/**
 * `deno task compile`: dist/sockbal, one executable with its permissions baked in.
 *
 * The runtime base of the executable comes from Deno's own server, or from the file that DENORT_BIN names. Where neither
 * can be had, the reason and the other ways are said in one sentence.
 */

const PERMISSIONS = ["--no-prompt", "--allow-net", "--allow-read", "--allow-write", "--allow-env"];

/** Further permissions, which begin with `--`, and where to write it. */
const further = Deno.args.filter((arg) => arg.startsWith("--"));
const [output = "dist/sockbal"] = Deno.args.filter((arg) => !arg.startsWith("--"));

/** A small young generation: sessions leave little garbage, and the space would be kept by each worker (docs/benchmarks.md). */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

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
      "or use `deno task install`, `deno task bundle` or `deno task npm` instead.\n",
  );
} else {
  await print(new TextDecoder().decode(stdout) + said);
}
Deno.exit(code);

async function print(text: string): Promise<void> {
  await new Blob([text]).stream().pipeTo(Deno.stderr.writable);
}
