/** The other balancers of a fleet as text: pure. */

import type { FleetMemberStatus, FleetStatus } from "../admin/status.ts";
import { span } from "./span.ts";
import { type Column, type Row, tableLines, wrapped } from "./text_table.ts";

const COLUMNS: readonly Column[] = [
  { title: "BALANCER", isCut: true },
  { title: "ADDRESS", isCut: true },
  { title: "VERSION", isCut: true },
  { title: "CONFIGURATION", isCut: true },
  { title: "STATE" },
];

/** Nothing where there is no fleet. An older balancer says nothing of it. */
export function fleetTable(fleet: FleetStatus | null | undefined, now: string, width: number): string[] {
  if (fleet === null || fleet === undefined) return [];
  const { name, connected, since, trouble, unshared, others } = fleet;
  const facts = [
    connected
      ? `etcd answers for ${spanSince(since, now)}`
      : `ETCD DOES NOT ANSWER for ${spanSince(since, now)}`,
    ...(trouble === "" ? [] : [trouble]),
    ...(unshared === 0 ? [] : [`${unshared} not yet shared`]),
  ];
  return [
    "",
    ...wrapped(`FLEET, this is ${name}: ${facts.join(", ")}`, width),
    ...(others.length === 0
      ? ["no other balancer"]
      : tableLines(COLUMNS, others.map((it) => row(it, now)), width)),
  ];
}

function row({ name, address, version, digest, state, since, differs }: FleetMemberStatus, now: string): Row {
  const word = state === "lost"
    ? `LOST for ${spanSince(since, now)}`
    : differs.length === 0
    ? "alike"
    : `other ${differs.join(", ")}`;
  return [name, address, version, digest, word];
}

function spanSince(since: string, now: string): string {
  return span(Math.max(0, Math.floor((Date.parse(now) - Date.parse(since)) / 1_000)));
}
