/** How many members a pool may have. */

export const MAX_MEMBERS = 10_000;

/** Why so many members are refused, in one sentence; undefined when they are not. */
export function whyTooMany(members: number): string | undefined {
  if (members <= MAX_MEMBERS) return undefined;
  return `there are more than ${MAX_MEMBERS} members, which is as many as a pool may have`;
}
