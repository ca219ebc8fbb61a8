/** Programs of Debian packages that a test needs. */

import { runCommand } from "./command.ts";

/** Where something is; or why it cannot be had, and what to do about it. */
export type Found = { readonly path: string } | { readonly missing: string };

/** Where a program is, installed if need be and possible. */
export function findProgram(program: string, debianPackage: string): Promise<Found> {
  return find(program, () => which(program), debianPackage);
}

/** As {@linkcode findProgram}, for a file that is no program. */
export function findFile(path: string, debianPackage: string): Promise<Found> {
  return find(path, () => Deno.stat(path).then(() => path, () => undefined), debianPackage);
}

/** For `ignore` of a test that needs all of these, and for the end of its name. */
export function skipWithout(...needs: readonly Found[]): { readonly ignore: boolean; readonly why: string } {
  const missing = needs.flatMap((it) => "missing" in it ? [it.missing] : []);
  return { ignore: missing.length > 0, why: missing.length > 0 ? ` (skipped: ${missing.join("; ")})` : "" };
}

/** Where it is, in a test that is skipped without it. */
export function pathOf(found: Found): string {
  if ("missing" in found) throw new Error(`Cannot run: ${found.missing}`);
  return found.path;
}

async function find(
  what: string,
  look: () => Promise<string | undefined>,
  debianPackage: string,
): Promise<Found> {
  const found = await look();
  if (found !== undefined) return { path: found };
  const install = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (Deno.uid() === 0 && await which("apt-get") !== undefined) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    // Tests run side by side, and only one may install.
    const lock = `${Deno.env.get("TMPDIR") ?? "/tmp"}/sockbal-tests-apt.lock`;
    await runCommand(["flock", lock, "sh", "-c", `apt-get update -q && ${install}`], { env });
    const installed = await look();
    if (installed !== undefined) return { path: installed };
  }
  return { missing: `${what} is not installed; ${install}` };
}

async function which(program: string): Promise<string | undefined> {
  const { status, stdout } = await runCommand(["sh", "-c", `command -v ${program}`]);
  return status === 0 ? stdout.trim() : undefined;
}
