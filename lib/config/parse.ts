/** Text to {@linkcode Config}: every fault of the file in one error, each with its place; notes, when there is none. */

import { dirname } from "node:path";
import type { z } from "zod";
import { InputError } from "../core/errors.ts";
import { crossChecks } from "./cross_checks.ts";
import type { Findings, PathFault } from "./findings.ts";
import {
  type Fault,
  NO_VARIABLES,
  type Path,
  type Place,
  readDocument,
  type YamlDocument,
} from "./document.ts";
import { confinementFaults, engineAsked, engineFaults, engineNotes, type EngineOf } from "./engine_checks.ts";
import { shown } from "./fields.ts";
import { notesOnListeners } from "./listener_notes.ts";
import { notesOn } from "./notes.ts";
import { type Config, configSchema } from "./schema.ts";
import { sourceFaults } from "./source_checks.ts";

/** All faults of one configuration; its message has a line each. */
export class ConfigError extends InputError {
  override readonly name = "ConfigError";
  readonly faults: readonly Fault[];

  constructor(file: string, faults: readonly Fault[]) {
    super(faults.map((fault) => formatFault(file, fault)).join("\n"));
    this.faults = faults;
  }
}

const NOTHING: Findings = { faults: [], notes: [] };

/** A text that was read, before it is decided whether it is a configuration: other faults may be found elsewhere. */
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
 * Reads a configuration.
 *
 * @param file How messages call the text; it is not opened.
 * @throws {ConfigError} with every fault that was found.
 */
export function parseConfig(text: string, file: string): Config {
  return draftConfig(text, file).finish();
}

/**
 * Reads a text as far as that is possible without looking at anything else.
 *
 * @param file How messages call the text; it is not opened.
 * @throws {ConfigError} when it is no YAML at all.
 */
export function draftConfig(text: string, file: string): Draft {
  const document = readDocument(text);
  if (document.value === undefined) throw new ConfigError(file, document.faults);
  const result = configSchema.safeParse(document.value, { reportInput: true });
  const variables = variableFaults(document.value);
  const areVariables = new Set(variables.map(({ path }) => formatPath(path)));
  const found = [
    ...variables,
    ...[
      ...(result.error?.issues ?? []).flatMap((issue) => pathFaults(issue, [])),
      ...crossChecks(document.value, dirname(file)),
      ...(result.success ? confinementFaults(result.data) : []),
      ...sourceFaults(document.value),
    ].filter(({ path }) => !areVariables.has(formatPath(path))),
  ];
  return {
    document: document.value,
    describe: (path, message) => formatFault(file, placed({ path, message }, document)),
    finish: (more = NOTHING, engineOf = engineAsked) => {
      // What could not be read has no content to complain about.
      const isNewPlace = (fault: Fault): boolean =>
        !document.faults.some((it) => formatPlace(it) === formatPlace(fault));
      const faults = [
        ...document.faults,
        ...[
          ...found,
          ...[...more.faults, ...engineFaults(document.value, engineOf)].filter(({ path }) =>
            !areVariables.has(formatPath(path))
          ),
        ].map((fault) => placed(fault, document)).filter(isNewPlace),
      ];
      if (faults.length > 0 || !result.success) throw new ConfigError(file, inOrder(faults));
      const { data } = result;
      const engine = engineOf(data.engine);
      const notes = inOrder(
        [
          ...notesOnListeners(data.listeners, engine),
          ...notesOn(data, dirname(file)),
          ...engineNotes(data, engine),
          ...more.notes,
        ].map((note) => placed(note, document)),
      );
      return { ...data, notes: notes.map((note) => formatNote(file, note)) };
    },
  };
}

/** Values that belong to another side and may have any characters. */
const FREE_TEXT: readonly string[] = ["send", "expect", "quit"];

/** Values with `${NAME}` in them, which other programs take from their environment. */
function variableFaults(value: unknown, path: Path = []): PathFault[] {
  if (typeof value === "string") {
    const isFree = FREE_TEXT.includes(String(path.at(-1)));
    return !isFree && /\$\{\w/.test(value) ? [{ path, message: `${shown(value)}: ${NO_VARIABLES}` }] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, it]) => {
    return variableFaults(it, [...path, Array.isArray(value) ? Number(key) : key]);
  });
}

/** `balancer.yaml:12:5 pools.web.algorithm: unknown algorithm "fastest"; use round_robin`. */
function formatFault(file: string, fault: Fault): string {
  const path = formatPath(fault.path);
  return `${file}:${formatPlace(fault)} ${path === "" ? "" : `${path}: `}${fault.message}`;
}

/** `balancer.yaml:12:5 pools.web.backends: note: all weights are 0, so no backend takes new sessions`. */
function formatNote(file: string, note: Fault): string {
  return formatFault(file, { ...note, message: `note: ${note.message}` });
}

function formatPlace(place: Place): string {
  return `${place.line}:${place.column}`;
}

/** `listeners[0].pool`. */
function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const shown = step === "" ? '""' : step;
    return text === "" ? shown : `${text}.${shown}`;
  }, "");
}

function placed({ path, message, atKey }: PathFault, document: YamlDocument): Fault {
  return { path, message, ...(atKey ? document.placeOfKey(path) : document.placeOf(path)) };
}

/** What zod found, as places and sentences; unions and keys need unfolding. */
function pathFaults(issue: z.core.$ZodIssue, parent: Path): PathFault[] {
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

/** Faults in the order of the file, each once. */
function inOrder(faults: readonly Fault[]): Fault[] {
  const unique = new Map(faults.map((fault) => [`${formatPlace(fault)} ${fault.message}`, fault]));
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}
