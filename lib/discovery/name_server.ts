/**
 * Asks a name server, by TCP (RFC 7766).
 *
 * The resolver of the runtime tells neither how long an answer holds nor whether there is no such name or no such record
 * (`Deno.resolveDns`, Deno 2.9.6). Every name server has to speak TCP; it needs no permission to receive datagrams, cuts no answer off, and
 * no other machine can slip in an answer of its own.
 */

import { formatAddress, type TcpAddress } from "../core/address.ts";
import { writeAll } from "../core/connection.ts";
import { formatDuration } from "../core/duration.ts";
import { reasonOf } from "../core/errors.ts";
import { type Answer, NoAnswer, type QuestionType, readAnswer, writeQuestion } from "../wire/dns_message.ts";
import { Malformed } from "../wire/malformed.ts";

/** A name server that does not answer by then is taken to be gone. */
const TIMEOUT_MS = 5_000;

/**
 * Asks one question over a connection of its own.
 *
 * @param server By IP address.
 * @throws {Error} with one sentence, when there is no answer.
 */
export async function askNameServer(
  server: TcpAddress,
  name: string,
  type: QuestionType,
  stop: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<Answer> {
  const where = `the name server ${formatAddress(server)}`;
  const late = AbortSignal.timeout(timeoutMs);
  const cannot = (error: unknown): Error => {
    if (late.aborted) return new Error(`${where} has not answered within ${formatDuration(timeoutMs)}`);
    const why = error instanceof Deno.errors.NotCapable
      ? `sockbal was started without permission to ask it (--allow-net=${formatAddress(server)})`
      : reasonOf(error);
    return new Error(`cannot ask ${where}: ${why}`, { cause: error });
  };
  const question = { id: crypto.getRandomValues(new Uint16Array(1))[0] ?? 0, name, type };
  let bytes: Uint8Array;
  try {
    bytes = await exchange(server, writeQuestion(question), AbortSignal.any([stop, late]));
  } catch (error) {
    throw cannot(error);
  }
  const answer = readAnswer(bytes, question);
  if (answer instanceof NoAnswer) throw new Error(`${JSON.stringify(name)}: ${answer.reason}`);
  if (answer instanceof Malformed) throw new Error(`cannot use the answer of ${where}: ${answer.reason}`);
  return answer;
}

/** A message has its length in front of it, in 16 bits (RFC 1035, 4.2.2). */
async function exchange(
  { host, port }: TcpAddress,
  message: Uint8Array,
  stop: AbortSignal,
): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname: host, port, signal: stop });
  const end = (): void => {
    try {
      conn.close();
    } catch {
      // It is closed already.
    }
  };
  stop.addEventListener("abort", end);
  try {
    await writeAll(conn, Uint8Array.from([message.length >> 8, message.length & 0xff, ...message]));
    const [high = 0, low = 0] = await readExactly(conn, 2);
    return await readExactly(conn, high << 8 | low);
  } finally {
    stop.removeEventListener("abort", end);
  }
}

async function readExactly(conn: Pick<Deno.Conn, "read">, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const count = await conn.read(bytes.subarray(filled));
    if (count === null) throw new Error("it has closed the connection before its answer was whole");
    filled += count;
  }
  return bytes;
}
