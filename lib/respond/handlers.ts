/** The handlers by name. */

import { daytime, whoami } from "./announce.ts";
import { chargen } from "./chargen.ts";
import type { Handler } from "./handler.ts";
import { http } from "./http.ts";
import { reverse } from "./reverse.ts";
import { discard, echo, upper } from "./streams.ts";

/** What `--handler` can name. */
export type HandlerName =
  | "echo"
  | "upper"
  | "reverse"
  | "discard"
  | "chargen"
  | "daytime"
  | "whoami"
  | "http";

export const handlers: Readonly<Record<HandlerName, Handler>> = {
  echo,
  upper,
  reverse,
  discard,
  chargen,
  daytime,
  whoami,
  http,
};
