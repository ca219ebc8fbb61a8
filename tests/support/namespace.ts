/** Networks and mounts of their own, for what a test may not change on the machine that it runs on. */

import type { EngineName } from "../../lib/config/engine_names.ts";
import { type CommandOptions, type Finished, RunningCommand, SOCKBAL, sockbalOn } from "./command.ts";
import { findProgram } from "./packages.ts";

const UNSHARE = ["unshare", "--net", "--mount"];

async function isPossible(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    return (await new Deno.Command("unshare", { args: [...UNSHARE.slice(1), "ip", "link"] }).output())
      .success;
  } catch {
    return false;
  }
}

async function whyNot(): Promise<string> {
  const ip = await findProgram("ip", "iproute2");
  if ("missing" in ip) return ` (skipped: ${ip.missing})`;
  return await isPossible() ? "" : " (needs root: on Linux, with the right to make namespaces)";
}

/** Why a test that needs a namespace is skipped; empty when it is not. To be put behind its name. */
export const skipped: string = await whyNot();

/** A network with a loopback of its own, and mounts that only those who are started in it see. */
export class Namespace implements AsyncDisposable {
  readonly #holder: RunningCommand;

  private constructor(holder: RunningCommand) {
    this.#holder = holder;
  }

  /** @param setup Shell commands; the loopback is up before them. */
  static async make(setup = ""): Promise<Namespace> {
    const script = `set -e; ip link set lo up; ${setup}\necho made; exec sleep 600`;
    const holder = new RunningCommand([...UNSHARE, "sh", "-c", script]);
    await holder.sees(/made/, "stdout");
    return new Namespace(holder);
  }

  /** The process that holds it; an interface may be moved to it by this. */
  get pid(): number {
    return this.#holder.pid;
  }

  /** Starts a program in it. */
  start(command: readonly string[], options?: CommandOptions): RunningCommand {
    return new RunningCommand(
      ["nsenter", `--target=${this.#holder.pid}`, "--net", "--mount", `--wd=${Deno.cwd()}`, ...command],
      options,
    );
  }

  /** Starts sockbal in it. */
  sockbal(...args: string[]): RunningCommand {
    return this.start([...SOCKBAL, ...args]);
  }

  /** Starts a balancer in it, with one of the engines. */
  balancer(engine: EngineName, config: string): RunningCommand {
    return this.start([...sockbalOn(engine), "--role", "balancer", "--config", config]);
  }

  /** Runs shell commands in it. */
  async run(script: string): Promise<Finished> {
    return await this.start(["sh", "-ec", script]).finished;
  }

  /** What a server answers to a message. */
  async ask(address: string, message = "hi"): Promise<string> {
    const asked = this.sockbal(
      "--role",
      "client",
      "--connect",
      address,
      "--message",
      message,
      "--timeout",
      "10s",
    );
    const { stdout, stderr } = await asked.finished;
    return (stdout + stderr).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder[Symbol.asyncDispose]();
  }
}
