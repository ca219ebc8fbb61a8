/**
 * Landlock (landlock(7)): a thread gives up all files, and all TCP ports but those that it dials.
 *
 * The system asks it where files are opened, changed and run, at connect(2) and at bind(2). What is open already stays usable.
 */

import type { Reach } from "../../confinement.ts";
import { SystemError } from "../errno.ts";
import type { Libc } from "../libc.ts";

/** The first version of the interface that knows of TCP ports. */
export const ABI_WITH_PORTS = 4;
const ABI_WITH_SCOPES = 6;

/** Call numbers, the same on x86-64 and arm64. */
const SYS_CREATE_RULESET = 444n;
const SYS_ADD_RULE = 445n;
const SYS_RESTRICT_SELF = 446n;

const CREATE_RULESET_VERSION = 1;
const RULE_NET_PORT = 2;
const BIND_TCP = 1n << 0n;
const CONNECT_TCP = 1n << 1n;
/** Abstract Unix sockets and signals of processes outside. */
const ALL_SCOPES = 0b11n;

/** The number of rights to files that each version knows, as bits from the lowest up. */
const FILE_RIGHTS: readonly [abi: number, rights: number][] = [[5, 16], [3, 15], [2, 14], [1, 13]];

export type LandlockCalls = Pick<
  Libc,
  "landlock_create_ruleset" | "landlock_add_rule" | "landlock_restrict_self" | "close" | "errno"
>;

/**
 * Confines the calling thread, for good. It must have given up new privileges (PR_SET_NO_NEW_PRIVS).
 *
 * @return The version of the interface.
 * @throws {SystemError} when the kernel has no Landlock, or does not let it be used.
 */
export function restrictFilesAndPorts(libc: LandlockCalls, reach: Reach): number {
  const abi = orThrow(
    libc,
    libc.landlock_create_ruleset(SYS_CREATE_RULESET, null, 0n, CREATE_RULESET_VERSION),
  );
  const attributes = rulesetAttributes(abi, reach);
  const ruleset = orThrow(
    libc,
    libc.landlock_create_ruleset(SYS_CREATE_RULESET, attributes, BigInt(attributes.byteLength), 0),
  );
  try {
    for (const rule of abi < ABI_WITH_PORTS ? [] : portRules(reach)) {
      orThrow(libc, libc.landlock_add_rule(SYS_ADD_RULE, ruleset, RULE_NET_PORT, rule, 0));
    }
    orThrow(libc, libc.landlock_restrict_self(SYS_RESTRICT_SELF, ruleset, 0));
  } finally {
    libc.close(ruleset);
  }
  return abi;
}

/** What is forbidden unless a rule allows it (struct landlock_ruleset_attr), as far as a version knows it. */
export function rulesetAttributes(abi: number, { ports }: Reach): BigUint64Array<ArrayBuffer> {
  const [, rights = 0] = FILE_RIGHTS.find(([since]) => abi >= since) ?? [];
  const files = (1n << BigInt(rights)) - 1n;
  const tcp = ports === "any" ? BIND_TCP : BIND_TCP | CONNECT_TCP;
  if (abi < ABI_WITH_PORTS) return BigUint64Array.of(files);
  return abi < ABI_WITH_SCOPES ? BigUint64Array.of(files, tcp) : BigUint64Array.of(files, tcp, ALL_SCOPES);
}

/** What is allowed (struct landlock_net_port_attr). A local port that the system chooses is port 0. */
export function portRules({ ports, mayBind }: Reach): BigUint64Array<ArrayBuffer>[] {
  const dials = ports === "any" ? [] : [...new Set(ports)];
  return [
    ...dials.map((port) => BigUint64Array.of(CONNECT_TCP, BigInt(port))),
    ...(mayBind ? [BigUint64Array.of(BIND_TCP, 0n)] : []),
  ];
}

function orThrow(libc: Pick<Libc, "errno">, result: number): number {
  if (result < 0) throw new SystemError(libc.errno());
  return result;
}
