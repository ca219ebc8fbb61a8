/** The standard streams, as people write them where a file is asked for. */

export type StandardStream = "stdin" | "stdout" | "stderr";

const STREAMS: readonly StandardStream[] = ["stdin", "stdout", "stderr"];

/**
 * The stream that a path stands for on Unix systems; undefined for other paths.
 *
 * The runtime lets no program open these paths without every permission, but the streams are open already.
 */
export function standardStreamOf(path: string): StandardStream | undefined {
  const [, name, digit] = /^\/dev\/(std(?:in|out|err))$|^\/(?:dev|proc\/self)\/fd\/([012])$/.exec(path) ?? [];
  return STREAMS.find((stream, number) => stream === name || String(number) === digit);
}
