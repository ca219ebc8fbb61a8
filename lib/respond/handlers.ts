/** The handlers by name. */

import { daytime, whoami } from "./announce.ts";
import { chargen } from "./chargen.ts";
import type { Handler } from "./handler.ts";
import { http } from "./http.ts";
import { reverse } from "./reverse.ts";
import { discard, echo, upper } from "./streams.ts";

/** What `--handler` can name. */
export const handlers = { echo, upper, reverse, discard, chargen, daytime, whoami, http } satisfies Record<
  string,
  Handler
>;
export type HandlerName = keyof typeof handlers;
