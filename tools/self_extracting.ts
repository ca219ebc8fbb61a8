/**
 * `deno task compile --self-extracting`: one executable made of the runtime that runs this tool and the bundle, for where the base of
 * `deno compile` cannot be had.
 *
 * A POSIX shell script (self_extracting.sh) with both appended. It needs no more than a shell, gzip and the basic commands, as every
 * Linux has them; its files are for the system and processor of the runtime.
 */

import { bundle } from "./bundle.ts";
import { PERMISSIONS, UNSTABLE, V8_FLAGS } from "./permissions.ts";

/** Of the names of folders in the cache. */
const DIGEST_CHARACTERS = 32;

/**
 * Writes the executable.
 *
 * @param further Permissions besides those that every form has, such as `--allow-ffi`.
 */
export async function writeSelfExtracting(output: string, further: readonly string[]): Promise<void> {
  const runtime = await Deno.readFile(Deno.execPath());
  const code = new TextEncoder().encode(await bundle());
  const [runtimePacked, codePacked] = await Promise.all([gzip(runtime), gzip(code)]);
  const payload = new Uint8Array(await new Blob([runtimePacked, codePacked]).arrayBuffer());
  const flags = [V8_FLAGS, "--no-config", "--no-lock", ...UNSTABLE, ...PERMISSIONS, ...further];
  const settings = {
    target: Deno.build.target,
    digest: (await digest(payload)).slice(0, DIGEST_CHARACTERS),
    flags: flags.join(" "),
    runtime_bytes: runtime.length,
    bundle_bytes: code.length,
    runtime_packed_bytes: runtimePacked.length,
    bundle_packed_bytes: codePacked.length,
  };
  const assignments = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`).join("");
  const script = await Deno.readTextFile(new URL("./self_extracting.sh", import.meta.url));
  // The payload begins with the line after the script, the line of this number and the first one.
  const lines = (assignments + script).split("\n").length - 1;
  const head = `#!/bin/sh\npayload_line=${lines + 3}\n${assignments}${script}`;
  const slash = output.lastIndexOf("/");
  if (slash > 0) await Deno.mkdir(output.slice(0, slash), { recursive: true });
  // One that runs is replaced, not written to.
  await Deno.writeFile(`${output}.new`, new Blob([head, payload]).stream(), { mode: 0o755 });
  await Deno.rename(`${output}.new`, output);
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
