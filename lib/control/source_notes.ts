import type { PlacedConfig } from "../config/read.ts";
import { missingAddresses } from "./engine_host.ts";

/** Notes on addresses that pools are to dial from and that this machine does not have: they may be about to move to it. */
export function sourceNotes({ config, describe }: Pick<PlacedConfig, "config" | "describe">): string[] {
  const sources = Object.entries(config.pools).flatMap(([pool, { source }]) => {
    return source.map((host, i) => ({ host, path: ["pools", pool, "source", i] }));
  });
  const missing = missingAddresses(new Set(sources.map(({ host }) => host)));
  return sources.filter(({ host }) => missing.has(host)).map(({ host, path }) => {
    return describe(path, `note: ${host} is no address of this machine; dials from it will fail`);
  });
}
