import type { Recorder } from "../core/log.ts";

/** Logs what was noted about a configuration. The record says already that it is a note. */
export function logNotes(notes: readonly string[], log: Pick<Recorder, "warn">): void {
  for (const note of notes) log.warn("config_note", { note: note.replace(": note: ", ": ") });
}
