/** Which errors of sending a datagram tell that the next one could not be sent either; any other concerns one datagram alone. */

const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ENETDOWN",
  "EACCES",
  "EPERM",
]);

/** @param code As `ECONNREFUSED`; undefined when there is none. */
export function isUnreachable(code: string | undefined): boolean {
  return code !== undefined && UNREACHABLE.has(code);
}
