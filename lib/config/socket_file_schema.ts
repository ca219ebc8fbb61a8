/** What a listener, or the admin side, says of the file of its Unix socket. */

import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { parsed, refuse, shown } from "./fields.ts";
import { MODE_PATTERN } from "./patterns.ts";

const MODE = new RegExp(MODE_PATTERN);
const MODE_FORM = 'write it in octal and in quotes, as "0660"';

function parseMode(text: string): number {
  if (!MODE.test(text)) throw new InputError(`${shown(text)} is not the mode of a file; ${MODE_FORM}`);
  return parseInt(text, 8);
}

/** In quotes: YAML would read 0660 as a decimal number. */
export const socketMode: z.ZodType<number, string> = parsed(
  parseMode,
  refuse("the mode of a file", MODE_FORM),
)
  .meta({
    title: "mode",
    description:
      'The mode of the file of a Unix socket, as "0660"; who may write to it may connect. Without it the umask decides.',
    pattern: MODE_PATTERN,
  });

const groupRefused = refuse("a group", "write its name, or its number");

export const socketGroup: z.ZodType<string | number, string | number> = z.union([
  z.int(groupRefused).min(0, groupRefused).max(4_294_967_294, groupRefused),
  z.string(groupRefused).regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, groupRefused),
], groupRefused).meta({
  title: "group",
  description:
    "The group of the file of a Unix socket: a name of /etc/group, or a number. Without it that of the program.",
});
