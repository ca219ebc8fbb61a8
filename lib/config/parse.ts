/** Files to {@linkcode Config}: every fault of all of them in one error, each with its place; notes, when there is none. */

import { dirname } from "node:path";
import type { z } from "zod";
import { InputError } from "../core/errors.ts";
import { crossChecks } from "./cross_checks.ts";
import type { Findings, PathFault } from "./findings.ts";
import { readDocument } from "./document.ts";
import { type Fault, formatPath, type Path } from "./place.ts";
import { confinementFaults, engineAsked, engineFaults, engineNotes, type EngineOf } from "./engine_checks.ts";
import { shown } from "./fields.ts";
import type { ConfigFile } from "./gather.ts";
import { notesOnListeners } from "./listener_notes.ts";
import { asMap } from "./loose.ts";
import { formatOrigin, merge, type Merged, type Origin, placeOf } from "./merged.ts";
import { notesOn } from "./notes.ts";
import { type Config, configSchema, type Hidden } from "./schema.ts";
import { sourceFaults } from "./source_checks.ts";
import { mayBeSecret } from "./value_kinds.ts";
import { bracedVariableIn } from "./variables.ts";

/** Something wrong, with its file. */
export interface LocatedFault extends Fault {
  readonly file: string;
}

/** All faults of one configuration; its message has a line each. */
export class ConfigError extends InputError {
  override readonly name = "ConfigError";
  readonly faults: readonly LocatedFault[];

  constructor(faults: readonly LocatedFault[]) {
    super(faults.map(formatFault).join("\n"));
    this.faults = faults;
  }
}

const NOTHING: Findings = { faults: [], notes: [] };

/** Files that were read, before it is decided whether they are a configuration: other faults may be found elsewhere. */
export interface Draft {
  /** The plain document, of whatever shape. */
  readonly document: unknown;
  /** `FILE:LINE:COLUMN PATH: MESSAGE`, for what is found wrong later. */
  describe(path: Path, message: string): string;
  /**
   * The configuration.
   *
   * @throws {ConfigError} with every fault that was found, here and elsewhere.
   */
  finish(more?: Findings, engineOf?: EngineOf): Config;
}

/**
 * Reads a configuration of one file, which includes nothing, without an environment.
 *
 * @param file How messages call the text; it is not opened.
 * @throws {ConfigError} with every fault that was found.
 */
export function parseConfig(text: string, file: string): Config {
  const document = readDocument(text);
  return draftConfig([{ name: file, folder: dirname(file), isIncluded: false, document, faults: [] }])
    .finish();
}

/**
 * Reads files as far as that is possible without looking at anything else.
 *
 * @param files At least one; relative paths are relative to the folder of the first.
 * @throws {ConfigError} when none of them is YAML at all.
 */
export function draftConfig(files: readonly ConfigFile[]): Draft {
  const merged = merge(files);
  const formFaults = files.flatMap(({ name, document }) => {
    return document.faults.map((fault) => ({ ...fault, file: name }));
  });
  if (merged.value === undefined) throw new ConfigError(formFaults);
  const folder = files[0]?.folder ?? ".";
  const result = configSchema.safeParse(merged.value, { reportInput: true });
  const found = [
    ...(result.error?.issues ?? []).flatMap((issue) => pathFaults(issue, [])),
    // What is missing may be in the file that could not be read.
    ...(merged.isWhole ? crossChecks(merged.value, folder, (path) => merged.originOf(path).path) : []),
    ...(result.success ? confinementFaults(result.data) : []),
    ...sourceFaults(merged.value),
  ].filter(({ path }) => merged.isWhole || path.length > 1);
  const located = (faults: readonly PathFault[]): LocatedFault[] => inOrder(locate(faults, merged), files);
  return {
    document: merged.value,
    describe: (path, message) => locate([{ path, message }], merged).map(formatFault).join("\n"),
    finish: (more = NOTHING, engineOf = engineAsked) => {
      // What could not be read has no content to complain about.
      const isNewPlace = (fault: LocatedFault): boolean =>
        !formFaults.some((it) => formatPlace(it) === formatPlace(fault));
      const faults = [
        ...formFaults,
        ...merged.faults.map(({ file, ...fault }) => locatedAt({ file, path: fault.path }, fault)),
        ...located([...found, ...more.faults, ...engineFaults(merged.value, engineOf)]).filter(isNewPlace),
      ];
      if (faults.length > 0 || !result.success) throw new ConfigError(inOrder(faults, files));
      const { data } = result;
      const engine = engineOf(data.engine);
      const notes = located([
        ...notesOnListeners(data.listeners, engine),
        ...notesOn(data, folder),
        ...engineNotes(data, engine),
        ...more.notes,
      ]);
      const { defaults: _, ...inForce } = asMap(merged.value);
      const hidden = hiddenIn(inForce, merged, []);
      return { ...data, notes: notes.map(formatNote), ...(hidden.length > 0 ? { hidden } : {}) };
    },
  };
}

/** Texts that may be secrets; with their paths in the one document. */
function hiddenIn(value: unknown, merged: Merged, path: Path): Hidden[] {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, it]) => {
      return hiddenIn(it, merged, [...path, Array.isArray(value) ? Number(key) : key]);
    });
  }
  const written = writtenSecret(path, merged);
  return written === undefined ? [] : [{ path, written }];
}

function writtenSecret(path: Path, { originOf }: Merged): string | undefined {
  const { file, path: at } = originOf(path);
  const written = file.document.fromEnvironment(at);
  return written !== undefined && mayBeSecret(path) ? written : undefined;
}

/** `balancer.yaml:12:5 pools.web.algorithm: unknown algorithm "fastest"; use round_robin`. */
function formatFault(fault: LocatedFault): string {
  const path = formatPath(fault.path);
  return `${formatPlace(fault)} ${path === "" ? "" : `${path}: `}${fault.message}`;
}

/** `balancer.yaml:12:5 pools.web.backends: note: all weights are 0, so no backend takes new sessions`. */
function formatNote(note: LocatedFault): string {
  return formatFault({ ...note, message: `note: ${note.message}` });
}

function formatPlace({ file, line, column }: LocatedFault): string {
  return `${file}:${line}:${column}`;
}

/**
 * Each where it stands. What the defaults themselves are wrong about is said once; what is wrong with them beside the rest of
 * a listener or pool says whose it is.
 */
function locate(faults: readonly PathFault[], merged: Merged): LocatedFault[] {
  const all = faults.map((fault) => {
    const origin = merged.originOf(fault.path);
    const other = fault.other === undefined ? undefined : merged.originOf(fault.other);
    const isElsewhere = other !== undefined && other.file !== origin.file;
    const message = isElsewhere ? `${fault.message} (first ${formatOrigin(other)})` : fault.message;
    return {
      origin,
      located: locatedAt(origin, {
        ...fault,
        message: withBraces(withoutSecret(message, fault, merged), fault, merged),
      }),
    };
  });
  const ofDefaults = new Set(all.filter(({ origin }) => origin.user === undefined).map(keyOf));
  return all.flatMap(({ origin: { user }, located }) => {
    if (user === undefined) return [located];
    if (ofDefaults.has(keyOf({ located }))) return [];
    return [{ ...located, message: `${located.message} (for ${formatOrigin(user, true)})` }];
  });
}

function keyOf({ located }: { readonly located: LocatedFault }): string {
  return `${formatPlace(located)} ${located.message}`;
}

function locatedAt(origin: Origin, { message, atKey }: PathFault): LocatedFault {
  return { path: origin.path, message, file: origin.file.name, ...placeOf(origin, atKey) };
}

/** A secret that has a fault is shown as it is written; what comes behind a colon may quote a part of it. */
function withoutSecret(message: string, { path }: PathFault, merged: Merged): string {
  const written = writtenSecret(path, merged);
  const value = valueAt(path, merged);
  if (written === undefined || value === null || value === "") return message;
  const shownOnly = message.replaceAll(shown(value), () => written).replaceAll(String(value), () => written);
  return shownOnly.split(": ")[0] ?? "";
}

/** A value that is refused is perhaps a variable that lacks its braces. */
function withBraces(message: string, { path, atKey }: PathFault, merged: Merged): string {
  const value = valueAt(path, merged);
  if (atKey || typeof value !== "string") return message;
  const { file, path: at } = merged.originOf(path);
  const meant = file.document.fromEnvironment(at) === undefined ? bracedVariableIn(value) : undefined;
  return meant === undefined ? message : `${message}; a variable is written ${meant}`;
}

function valueAt(path: Path, { value }: Merged): unknown {
  return path.reduce<unknown>((it, step) => Object(it)[step], value);
}

/** What zod found, as places and sentences; unions and keys need unfolding. */
export function pathFaults(issue: z.core.$ZodIssue, parent: Path): PathFault[] {
  const path = [...parent, ...issue.path as (string | number)[]];
  switch (issue.code) {
    case "unrecognized_keys": {
      const messages = issue.message.split("\n");
      return issue.keys.map((key, i) => ({
        path: [...path, key],
        message: messages[i] ?? "unknown key",
        atKey: true,
      }));
    }
    case "invalid_key":
      return [{ path, message: issue.issues[0]?.message ?? issue.message, atKey: true }];
    case "invalid_union": {
      const isDefaultMessage = issue.message === "Invalid input";
      // The branch that was meant is the one that got past the type of the value itself.
      const meant = issue.errors.find((branch) =>
        !branch.some((it) => it.code === "invalid_type" && it.path.length === 0)
      );
      if (!isDefaultMessage) return [{ path, message: issue.message }];
      return (meant ?? issue.errors[0] ?? []).flatMap((inner) => pathFaults(inner, path));
    }
    default:
      return [{ path, message: issue.message }];
  }
}

/** Faults in the order of the files, each once. */
function inOrder(faults: readonly LocatedFault[], files: readonly ConfigFile[]): LocatedFault[] {
  const order = new Map(files.map(({ name }, i) => [name, i]));
  const numberOf = ({ file }: LocatedFault): number => order.get(file) ?? 0;
  const unique = new Map(faults.map((fault) => [keyOf({ located: fault }), fault]));
  return [...unique.values()].sort((a, b) => {
    const apart = numberOf(a) - numberOf(b) || a.line - b.line || a.column - b.column;
    // What is missing in a map stands where the map begins, and comes before what is there.
    return apart || Number(isMissing(b)) - Number(isMissing(a));
  });
}

function isMissing({ message }: Fault): boolean {
  return message.startsWith("missing; ");
}
