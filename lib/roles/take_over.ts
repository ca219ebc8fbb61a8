/** The place of a running balancer is taken: its listening sockets are used, and it drains. */

import type { HandOverOffer } from "../admin/operations.ts";
import type { BalancerFlags } from "../cli/flags.ts";
import type { Config } from "../config/schema.ts";
import { readToken } from "../config/token_file.ts";
import { engineFor } from "../control/engine_host.ts";
import type { Given } from "../control/given_sockets.ts";
import { formatAddress, parseListenAddress, type UnixAddress } from "../core/address.ts";
import { InputError, reasonOf, RunError } from "../core/errors.ts";
import { isAnswered, removeFile } from "../core/listening.ts";
import { handOverAt } from "../core/socket_file.ts";
import { HandoverSocket } from "../engine/epoll/given/handover.ts";
import { type AdminAnswer, type AdminCall, askAdmin, openCall } from "./ask_admin.ts";
import type { ChosenConfig } from "./chosen_config.ts";
import { faultAt } from "./start_failure.ts";

/**
 * Where to ask, as flags and configuration have it.
 *
 * @throws {InputError} when the sockets could not be passed.
 */
export async function whereToTakeOver(
  flags: Pick<BalancerFlags, "admin">,
  chosen: ChosenConfig,
  config: Config,
): Promise<TakeOverPlace> {
  if (engineFor(config.engine) !== "epoll") {
    throw new InputError("--take-over needs the engine epoll (Linux, with --allow-ffi), and this is runtime");
  }
  const { admin } = config;
  const address = flags.admin ?? admin?.listen;
  if (address === undefined) {
    throw new InputError(
      `--take-over asks the balancer that runs at its Unix socket: ${chosen.name} has no admin section`,
    );
  }
  if (address.transport !== "unix") {
    const message = `--take-over needs the admin side at a Unix socket, as unix:/run/sockbal/admin.sock; ` +
      `${formatAddress(address)} is none`;
    throw flags.admin === undefined ? faultAt(["admin", "listen"], message, chosen) : new InputError(message);
  }
  return { address, token: admin?.tokenFile === undefined ? undefined : await readToken(admin.tokenFile) };
}

/** Where the running balancer is asked. */
export interface TakeOverPlace {
  readonly address: UnixAddress;
  readonly token: string | undefined;
}

export interface TakenOver {
  /** Its sockets; it listens with them too, until {@linkcode finishTakeOver}. */
  readonly given: Given;
  /** Its process. */
  readonly pid: number;
  /** Lets other processes take over; call it when this one has, or has failed. May be called twice. */
  close(): void;
}

/**
 * Asks a running balancer for its listening sockets. It goes on as it is. The caller closes what it is given.
 *
 * @throws {RunError} when there is none, or it does not pass them.
 */
export async function beginTakeOver(place: TakeOverPlace): Promise<TakenOver> {
  const at = handOverAt(place.address);
  const where = formatAddress(place.address);
  // Another process that takes over at the same time is answered.
  if (await isAnswered(at.path)) {
    if (await exists(at.path)) {
      throw new RunError(`${at.path}: another process takes over now, or this is no socket`);
    }
  } else await removeFile(at.path);
  const socket = open(at);
  try {
    const answer = await askAdmin(place, "POST", "/api/hand-over");
    if (answer.status !== 200) throw new RunError(`${where}: ${refusal(answer)}`);
    const offer = JSON.parse(answer.body) as HandOverOffer;
    const wanted = offer.sockets.reduce((sum, { count }) => sum + count, 0);
    const descriptors = socket.take();
    if (descriptors.length !== wanted) {
      throw new RunError(
        `${where}: ${descriptors.length} of ${wanted} sockets have come; are there enough open files?`,
      );
    }
    return { given: givenBy(offer, descriptors), pid: offer.pid, close: () => socket.close() };
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Tells the balancer before that this process listens: it accepts no more, and drains.
 *
 * @param takeAdmin Puts the admin side of this process at the path of the one before, which is reached by that path no more.
 * @return Why it has not answered that it drains; undefined when it has.
 * @throws {RunError} what `takeAdmin` throws; then the balancer before goes on as it was.
 */
export async function finishTakeOver(
  place: TakeOverPlace,
  unused: readonly string[],
  takeAdmin: () => Promise<void>,
): Promise<string | undefined> {
  let call: AdminCall;
  try {
    call = await openCall(place);
  } catch (error) {
    await takeAdmin();
    return reasonOf(error);
  }
  await using open = call;
  await takeAdmin();
  try {
    const answer = await open.ask("POST", "/api/hand-over/finish", JSON.stringify({ unused }));
    return answer.status === 200 ? undefined : refusal(answer);
  } catch (error) {
    return reasonOf(error);
  }
}

function open(at: UnixAddress): HandoverSocket {
  try {
    return new HandoverSocket(at);
  } catch (error) {
    throw new RunError(`${at.path}: cannot wait there for sockets: ${reasonOf(error)}`, { cause: error });
  }
}

function givenBy(offer: HandOverOffer, descriptors: readonly number[]): Given {
  let next = 0;
  return {
    sockets: offer.sockets.map(({ address, count, is_managed: isManaged, made, guard }) => {
      next += count;
      return {
        address: parseListenAddress(address),
        descriptors: descriptors.slice(next - count, next),
        isManaged,
        made,
        guard,
      };
    }),
    settled: new Map(offer.settled.map(({ key, addresses }) => [key, addresses.map(parseListenAddress)])),
  };
}

/** A sentence of the admin side, without its full stop. */
function refusal({ status, body }: AdminAnswer): string {
  if (status === 404) return "the balancer there is of a version that cannot hand over";
  try {
    return String(JSON.parse(body).detail).replace(/\.$/, "");
  } catch {
    return `it answered with status ${status}`;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
