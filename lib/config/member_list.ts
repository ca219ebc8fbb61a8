/** Backends that stand elsewhere than in the configuration: what is written of one is the same. */

import { dirname, isAbsolute, resolve } from "node:path";
import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { whyTooMany } from "../core/member_limit.ts";
import { readDocument } from "./document.ts";
import { refuse } from "./fields.ts";
import { ConfigError, pathFaults } from "./parse.ts";
import { backend, type BackendConfig } from "./pool_schema.ts";
import type { Environment } from "./variables.ts";

const list = z.array(backend, refuse("a list", "list the backends, as - 127.0.0.1:8001"));

/** A list of thousands may be wrong from end to end, and is to be mended, not read. */
const MAX_FAULTS = 20;

/** What may be read of the environment is what the configuration names; a list changes while the program runs. */
const noVariables: Environment = () => {
  throw new InputError(
    "a list of members has no variables; write the value, or list the backend in the configuration",
  );
};

/**
 * Reads a file of backends, YAML or JSON; what is relative in it is relative to its folder. An empty file has none.
 *
 * @throws {ConfigError} with the first faults and their places.
 */
export function readMemberFile(text: string, path: string): BackendConfig[] {
  if (text.split("\n").every((line) => /^\s*(#.*)?$/.test(line))) return [];
  const document = readDocument(text, noVariables);
  const tooMany = whyTooLong(document.value);
  if (tooMany !== undefined) {
    throw new ConfigError([{ path: [], message: tooMany, ...document.placeOf([]), file: path }]);
  }
  const result = list.safeParse(document.value, { reportInput: true });
  const faults = document.faults.length > 0
    ? document.faults
    : (result.error?.issues ?? []).flatMap((issue) => pathFaults(issue, []))
      .map((fault) => ({
        path: fault.path,
        message: fault.message,
        ...(fault.atKey ? document.placeOfKey(fault.path) : document.placeOf(fault.path)),
      }));
  if (faults.length > 0 || !result.success) {
    throw new ConfigError(faults.slice(0, MAX_FAULTS).map((fault) => ({ ...fault, file: path })));
  }
  return result.data.map((it) => {
    const { address } = it;
    if (address.transport !== "unix") return it;
    return { ...it, address: { ...address, path: resolve(dirname(path), address.path) } };
  });
}

/**
 * Reads a list of backends that another machine has sent.
 *
 * @throws {InputError} with one sentence.
 */
export function readMemberList(value: unknown): BackendConfig[] {
  const tooMany = whyTooLong(value);
  if (tooMany !== undefined) throw new InputError(tooMany);
  const members = fromElsewhere(list, value);
  members.forEach(checkPath);
  return members;
}

/**
 * Reads one backend as text: its address, or a map as JSON.
 *
 * @throws {InputError} with one sentence.
 */
export function readMember(text: string): BackendConfig {
  let value: unknown = text.trim();
  if (text.trimStart().startsWith("{")) {
    try {
      value = JSON.parse(text);
    } catch {
      throw new InputError("neither an address nor a map as JSON");
    }
  }
  return readMemberMap(value);
}

/**
 * Reads one backend in its short or its long form.
 *
 * @throws {InputError} with one sentence.
 */
export function readMemberMap(value: unknown): BackendConfig {
  const member = fromElsewhere(backend, value);
  checkPath(member);
  return member;
}

function fromElsewhere<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const [fault] = result.error.issues.flatMap((issue) => pathFaults(issue, []));
    const at = fault?.path.map((it) => typeof it === "number" ? `[${it}]` : `.${it}`).join("") ?? "";
    throw new InputError(`${at === "" ? "" : `${at.replace(/^\./, "")}: `}${fault?.message}`);
  }
  return result.data;
}

/** Looked at before what is in it: to check a million entries takes seconds. */
function whyTooLong(value: unknown): string | undefined {
  return Array.isArray(value) ? whyTooMany(value.length) : undefined;
}

/** What is relative would be so to a folder that the other machine does not know. */
function checkPath({ address }: BackendConfig): void {
  if (address.transport !== "unix" || isAbsolute(address.path)) return;
  throw new InputError(`${JSON.stringify(address.path)} is a relative path; write an absolute one`);
}
