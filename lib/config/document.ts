/**
 * YAML text to plain values that remember where each of them stood.
 *
 * js-yaml reads the syntax; its events carry offsets, which become line and column here. Only what a configuration
 * needs is let through: one document, plain maps, lists and scalars. Duplicate keys, aliases, anchors, tags and keys
 * that are not text are faults, all of them reported; a syntax error ends the reading, so it is reported alone.
 */

import {
  COLLECTION_STYLE,
  type Event,
  EVENT_ID,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
  YAMLException,
} from "js-yaml";
import type { Fault, Path, Place } from "./place.ts";
import { describeSyntaxError, describeUnquoted, UNQUOTED_V6 } from "./syntax_faults.ts";
import { type Environment, expand, NO_ENVIRONMENT, withPlainVariables } from "./variables.ts";

/** A document that was read, with its faults of form (there may still be faults of content). */
export interface YamlDocument {
  /** Undefined when it could not be read. */
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /** The names of its variables. */
  readonly variables: ReadonlySet<string>;
  /** The value at this path as it is written, if a part of it comes from the environment. */
  fromEnvironment(path: Path): string | undefined;
  /** Where the value at this path stands; for one that is missing, where its parent stands. */
  placeOf(path: Path): Place;
  /** Where the key that ends this path stands. */
  placeOfKey(path: Path): Place;
}

/** Deeper nesting than this is no configuration. */
const MAX_DEPTH = 32;

/** Reads one YAML document. Never throws: what is wrong is in `faults`. */
export function readDocument(text: string, environment: Environment = NO_ENVIRONMENT): YamlDocument {
  const lines = lineStarts(text);
  try {
    const events = parseEvents(withPlainVariables(text), { maxDepth: MAX_DEPTH });
    return new Reader(text, events, lines, environment).read();
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const place = { line: (error.mark?.line ?? 0) + 1, column: (error.mark?.column ?? 0) + 1 };
    const line = text.slice(lines[place.line - 1], lines[place.line]);
    return unreadable({ path: [], ...place, message: describeSyntaxError(error.reason, line) });
  }
}

/** A document of which nothing is known but why. */
export function unreadable(fault: Fault): YamlDocument {
  const start = { line: 1, column: 1 };
  return {
    value: undefined,
    faults: [fault],
    variables: new Set(),
    fromEnvironment: () => undefined,
    placeOf: () => start,
    placeOfKey: () => start,
  };
}

/** What one walk over the events builds. */
class Reader implements YamlDocument {
  value: unknown;
  readonly faults: Fault[] = [];
  readonly variables = new Set<string>();
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #lines: readonly number[];
  readonly #offsets = new Map<string, number>();
  readonly #keyOffsets = new Map<string, number>();
  readonly #environment: Environment;
  /** By path. */
  readonly #fromEnvironment = new Map<string, string>();
  #next = 0;
  /** How far the text has been read, for what has no place of its own. */
  #readUpTo = 0;

  constructor(text: string, events: readonly Event[], lines: readonly number[], environment: Environment) {
    this.#text = text;
    this.#events = events;
    this.#lines = lines;
    this.#environment = environment;
  }

  read(): YamlDocument {
    const documents = this.#events.filter((event) => event.type === EVENT_ID.DOCUMENT).length;
    if (documents === 0) {
      return unreadable({
        path: [],
        line: 1,
        column: 1,
        message: "the file is empty; at least listeners and pools are needed",
      });
    }
    this.#next = 1;
    this.value = this.#node([], 0);
    if (documents > 1) {
      const mark = this.#text.slice(this.#readUpTo).search(/^(---|\.\.\.)/m);
      this.#fault(
        [],
        this.#readUpTo + Math.max(mark, 0),
        "a configuration is one YAML document; remove what follows here",
      );
    }
    return this;
  }

  placeOf(path: Path): Place {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsets.get(pathKey(path.slice(0, length)));
      if (offset !== undefined) return this.#placeAt(offset);
    }
    return this.#placeAt(this.#offsets.get(pathKey([])) ?? 0);
  }

  placeOfKey(path: Path): Place {
    const offset = this.#keyOffsets.get(pathKey(path));
    return offset === undefined ? this.placeOf(path) : this.#placeAt(offset);
  }

  fromEnvironment(path: Path): string | undefined {
    return this.#fromEnvironment.get(pathKey(path));
  }

  /** Reads the node at `#next`. `fallback` is where an empty value is said to stand: at its key, or its dash. */
  #node(path: Path, fallback: number): unknown {
    const event = this.#events[this.#next++];
    switch (event?.type) {
      case EVENT_ID.SCALAR:
        this.#placed(path, event.valueStart < 0 ? fallback : scalarStart(event));
        this.#refuseTagAndAnchor(event, path);
        return this.#scalar(event, path);
      case EVENT_ID.SEQUENCE:
        this.#placed(path, event.start);
        this.#refuseTagAndAnchor(event, path);
        return this.#sequence(path, event);
      case EVENT_ID.MAPPING:
        this.#placed(path, event.start);
        this.#refuseTagAndAnchor(event, path);
        return this.#mapping(path);
      case EVENT_ID.ALIAS:
        this.#placed(path, event.anchorStart - 1);
        this.#readUpTo = event.anchorEnd;
        this.#fault(path, event.anchorStart - 1, this.#describeAlias(event.anchorStart));
        return null;
      default:
        return null;
    }
  }

  #describeAlias(start: number): string {
    const port = /^:\d+/.exec(this.#text.slice(start))?.[0];
    if (port !== undefined) return `for all addresses write ${port}; YAML reads * as an alias`;
    return "YAML aliases (*name) are not allowed; write the value out";
  }

  #scalar(event: ScalarEvent, path: Path): unknown {
    if (event.valueStart < 0) return null;
    this.#readUpTo = event.valueEnd;
    const written = getScalarValue(this.#text, event);
    const { text, names, isFromEnvironment, faults } = expand(written, this.#environment);
    for (const name of names) this.variables.add(name);
    for (const message of faults) this.#fault(path, scalarStart(event), message);
    if (isFromEnvironment) this.#fromEnvironment.set(pathKey(path), written);
    return event.style === SCALAR_STYLE.PLAIN ? plainValue(text) : text;
  }

  #sequence(path: Path, { start, style }: SequenceEvent): unknown[] {
    const items: unknown[] = [];
    this.#readUpTo = Math.max(this.#readUpTo, start);
    let fallback = start;
    while (!this.#atEnd()) {
      items.push(this.#node([...path, items.length], fallback));
      // The next item of a block stands behind the next dash at the beginning of a line.
      const rest = this.#text.slice(this.#readUpTo);
      const dash = style === COLLECTION_STYLE.BLOCK ? /\n *-/.exec(rest) : null;
      fallback = dash === null ? start : this.#readUpTo + dash.index + dash[0].length - 1;
      if (dash !== null) this.#readUpTo = fallback;
    }
    this.#next++;
    return items;
  }

  #mapping(path: Path): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    while (!this.#atEnd()) {
      const offset = this.#keyOffset();
      const key = this.#key(path, offset);
      const child = [...path, key];
      const isRepeated = entries.has(key);
      if (isRepeated) this.#fault(child, offset, `the key ${JSON.stringify(key)} stands here a second time`);
      else this.#keyOffsets.set(pathKey(child), offset);
      const value = this.#node(child, offset);
      if (!isRepeated) entries.set(key, value);
    }
    this.#next++;
    return Object.fromEntries(entries);
  }

  /** Whatever it looks like (8001, true), a key is its text. */
  #key(path: Path, offset: number): string {
    const event = this.#events[this.#next];
    if (event?.type !== EVENT_ID.SCALAR) {
      const [v6] = new RegExp(`^${UNQUOTED_V6.source}`, "i").exec(this.#text.slice(offset)) ?? [];
      this.#fault(path, offset, v6 === undefined ? "a key must be plain text" : describeUnquoted(v6));
      this.#node(path, offset);
      return "";
    }
    this.#next++;
    this.#refuseTagAndAnchor(event, path);
    if (event.valueStart < 0) return "";
    this.#readUpTo = event.valueEnd;
    const key = getScalarValue(this.#text, event);
    // It would not survive as a property.
    if (key === "__proto__") this.#fault(path, offset, `"__proto__" cannot be a key`);
    return key;
  }

  #keyOffset(): number {
    const event = this.#events[this.#next];
    if (event?.type === EVENT_ID.SCALAR) return event.valueStart < 0 ? this.#readUpTo : scalarStart(event);
    if (event?.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
    return event !== undefined && "start" in event ? event.start : this.#readUpTo;
  }

  /** The first value of a path is the one that counts; a repeated key does not move it. */
  #placed(path: Path, offset: number): void {
    const key = pathKey(path);
    if (!this.#offsets.has(key)) this.#offsets.set(key, offset);
  }

  #refuseTagAndAnchor(event: { tagStart: number; anchorStart: number }, path: Path): void {
    if (event.tagStart >= 0) {
      this.#fault(path, event.tagStart, "YAML tags (!name) are not allowed; write the plain value");
    }
    if (event.anchorStart >= 0) {
      this.#fault(path, event.anchorStart - 1, "YAML anchors (&name) are not allowed; write the value out");
    }
  }

  #atEnd(): boolean {
    const event = this.#events[this.#next];
    return event === undefined || event.type === EVENT_ID.POP;
  }

  #fault(path: Path, offset: number, message: string): void {
    this.faults.push({ path, ...this.#placeAt(offset), message });
  }

  #placeAt(offset: number): Place {
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lines[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#lines[low] ?? 0) + 1 };
  }
}

/** Plain scalars by the core schema of YAML 1.2 (section 10.3.2), as far as a configuration needs it. */
function plainValue(text: string): unknown {
  if (/^(|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  return /^[-+]?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** Where a scalar begins, its opening quote included. */
function scalarStart({ style, valueStart }: ScalarEvent): number {
  const isQuoted = style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED;
  return valueStart - (isQuoted ? 1 : 0);
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length);
  return starts;
}

function pathKey(path: Path): string {
  return JSON.stringify(path);
}
