/** The client role: one conversation, from flags. */

import type { ClientFlags } from "../cli/flags.ts";
import { converse } from "../talk/conversation.ts";
import type { Terminal } from "./terminal.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Talks from stdin, or the messages of the flags, to stdout. */
export async function runClientRole(flags: ClientFlags, terminal: Terminal): Promise<void> {
  await giveUpForeignFunctions();
  await giveUpWriting({ dials: [flags.connect] });
  await converse({
    ...flags,
    input: Deno.stdin,
    isInputEndless: flags.messages.length === 0 && Deno.stdin.isTerminal(),
    output: Deno.stdout,
    stop: terminal.stop,
  });
}
