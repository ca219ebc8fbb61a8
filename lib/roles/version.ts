/** What `--version` says. */

import { engineFor } from "../control/engine_host.ts";

/**
 * The version and the commit; below, what it runs on and the engines that a balancer started in this way can have.
 *
 * @param commit Empty where it is not known, as in the source tree: git says it there.
 */
export function describeVersion(version: string, commit: string): string {
  const engines = engineFor("auto") === "epoll" ? "engines runtime and epoll" : "engine runtime";
  const made = commit === "" ? version : `${version} (commit ${commit})`;
  return `${made}\nDeno ${Deno.version.deno}, ${Deno.build.target}; ${engines}`;
}
