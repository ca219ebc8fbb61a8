/** What kept a balancer from starting, said with its place in the configuration. */

import type { Config } from "../config/schema.ts";
import type { Path } from "../config/place.ts";
import { type Address, formatAddress, hasName } from "../core/address.ts";
import { InputError, RunError } from "../core/errors.ts";
import type { ChosenConfig } from "./chosen_config.ts";

/** A failure of the start; its message begins with `FILE:LINE:COLUMN PATH: ` */
export class PlacedError extends RunError {
  override readonly name = "PlacedError";
}

/** A fault of a configuration that is found only once it is whole: status 2, as for any other. */
export function faultAt(path: Path, message: string, { describe }: ChosenConfig): InputError {
  return describe === undefined ? new InputError(message) : new PlacedFault(describe(path, message));
}

class PlacedFault extends InputError {
  override readonly name = "PlacedError";
}

/** The same failure with its place, if the configuration is a file and the failure is about a part of it. */
export function withPlace(error: unknown, { config, describe }: ChosenConfig): unknown {
  if (!(error instanceof RunError) || describe === undefined) return error;
  const path = pathOf(error.message, config);
  return path === undefined ? error : new PlacedError(describe(path, error.message), { cause: error });
}

/** Goes by the message, which names the address or the file: workers report a failure as text. */
function pathOf(message: string, { listeners, admin, log }: Config): Path | undefined {
  if (message.startsWith("cannot confine ")) return ["confinement"];
  const [, who, address] = /^(the admin page )?cannot listen on (\S+): /.exec(message) ?? [];
  const [, name] = /^cannot resolve the name "([^"]+)": /.exec(message) ?? [];
  const isMeant = (listen: Address): boolean => {
    if (name !== undefined) return hasName(listen) && listen.host === name;
    return address !== undefined && isOneOf(address, listen);
  };
  if (who === undefined) {
    const at = listeners.findIndex(({ listen }) => isMeant(listen));
    if (at !== -1) return ["listeners", at, "listen"];
  }
  if (admin !== undefined && isMeant(admin.listen)) return ["admin", "listen"];
  const isAbout = (file: string | undefined): boolean =>
    file !== undefined && message.startsWith(`${file}: `);
  if (isAbout(log.file)) return ["log", "file"];
  return isAbout(admin?.tokenFile) ? ["admin", "token_file"] : undefined;
}

/** Whether this is what became of a written address: a name was resolved, "all addresses" became a host. */
function isOneOf(address: string, written: Address): boolean {
  if (formatAddress(written) === address) return true;
  if (written.transport === "unix" || (written.host !== "" && !hasName(written))) return false;
  return address.endsWith(`:${written.port}`);
}
