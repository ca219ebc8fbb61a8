/** A URL of HTTP in a configuration. */

import type { z } from "zod";
import { InputError } from "../core/errors.ts";
import { parsed, refuse, shown } from "./fields.ts";

/** An origin is all that is written of a server that has paths of its own. */
export function url(description: string, example: string, isOrigin: boolean): z.ZodType<string, string> {
  return parsed((text) => {
    const found = URL.canParse(text) ? new URL(text) : undefined;
    const isHttp = found?.protocol === "http:" || found?.protocol === "https:";
    if (found === undefined || !isHttp) {
      throw new InputError(`${shown(text)} is not a URL; write it as ${example}`);
    }
    if (found.username !== "" || found.password !== "") {
      throw new InputError(`${shown(text)} has a password in it, which would be shown; leave it out`);
    }
    if (isOrigin && (found.pathname !== "/" || found.search !== "" || found.hash !== "")) {
      throw new InputError(`${shown(text)} has more than a host and a port; write ${found.origin}`);
    }
    return isOrigin ? found.origin : found.href;
  }, refuse("a URL", `write it as ${example}`)).meta({ title: "URL", description });
}
