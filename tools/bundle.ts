/** `deno task bundle`: dist/sockbal.js, one file for `deno run`, which knows the commit that it was made from. */

/** Where main.ts leaves place for the commit. */
const NO_COMMIT = 'var COMMIT = "";';

/**
 * The text of the bundle.
 *
 * @throws {Error} with what `deno bundle` says when it fails.
 */
export async function bundle(): Promise<string> {
  const text = await output("deno", "bundle", "--quiet", "main.ts");
  const [before, after, ...more] = text.split(NO_COMMIT);
  if (after === undefined || more.length > 0) throw new Error(`The bundle has to have ${NO_COMMIT} once`);
  return `${before}var COMMIT = ${JSON.stringify(await commit())};${after}`;
}

/** The commit, with `-dirty` where the files differ from it; empty where there is no git or no repository. */
async function commit(): Promise<string> {
  try {
    return (await output("git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty")).trim();
  } catch {
    return "";
  }
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  await Deno.mkdir("dist", { recursive: true });
  await Deno.writeTextFile("dist/sockbal.js", await bundle());
}
