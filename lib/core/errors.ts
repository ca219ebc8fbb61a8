/** The two ways a command fails, told apart because the exit status differs: 2 before anything ran, 1 after. */

/** What the user wrote (a flag, an address, a configuration) is wrong; nothing was started. Exit status 2. */
export class InputError extends Error {
  override readonly name: string = "InputError";
}

/** The input was fine, but it could not be done: a port is taken, a peer refused. Exit status 1. */
export class RunError extends Error {
  override readonly name: string = "RunError";
}

/** The sentence of anything thrown, without the operating system's "(os error N)" and what the runtime adds to it. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return message.replace(/ \(os error \d+\)(: .*)?$/s, "");
}

/** The name of the error number (errno(3)) that the system gave: the runtime's own errors and those of its Node modules both have it. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
