/** Programs of Debian packages that a test needs. */

import { runCommand } from "./command.ts";

/** Where a program is, installed if need be and possible; or why it cannot be had, and what to do about it. */
export async function findProgram(
  program: string,
  debianPackage: string,
): Promise<{ path: string } | { missing: string }> {
  const found = await which(program);
  if (found !== undefined) return { path: found };
  const install = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (Deno.uid() === 0 && await which("apt-get") !== undefined) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await runCommand(["sh", "-c", `apt-get update -q && ${install}`], { env });
    const installed = await which(program);
    if (installed !== undefined) return { path: installed };
  }
  return { missing: `${program} is not installed; ${install}` };
}

async function which(program: string): Promise<string | undefined> {
  const { status, stdout } = await runCommand(["sh", "-c", `command -v ${program}`]);
  return status === 0 ? stdout.trim() : undefined;
}
