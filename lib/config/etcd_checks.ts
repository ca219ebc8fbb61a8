/** Which options of etcd go together. Works on the plain document, as cross_checks.ts does. */

import type { PathFault } from "./findings.ts";
import type { Path } from "./place.ts";

/** @param path Where it stands. */
export function etcdFaults(etcd: Record<string, unknown>, path: Path): PathFault[] {
  const pairs = [["cert", "key"], ["key", "cert"], ["user", "password_file"], ["password_file", "user"]];
  return pairs.flatMap(([has = "", needs = ""]) => {
    if (!(has in etcd) || needs in etcd) return [];
    return [{ path: [...path, needs], message: `missing; ${has} needs ${needs}` }];
  });
}
