/** Questions to name servers and their answers (RFC 1035, 4.1; SRV: RFC 2782; AAAA: RFC 3596). Pure. */

import { ipText } from "../core/ip_bytes.ts";
import { Fields } from "./fields.ts";
import { Malformed } from "./malformed.ts";

/** RFC 1035, 3.2.2. */
const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;
export type QuestionType = Exclude<keyof typeof TYPES, "CNAME">;

const CLASS_IN = 1;
const RECURSION_DESIRED = 0x0100;
const IS_ANSWER = 0x8000;
const IS_TRUNCATED = 0x0200;

/** RFC 1035, 2.3.4. */
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;

/** A name of 255 bytes has at most as many labels; more pointers than labels would only cost time. */
const MAX_POINTERS = 127;

/** More aliases in a row are a loop, or as good as one. */
const MAX_ALIASES = 16;

export interface Question {
  /** 0 to 65535. */
  readonly id: number;
  /** A host name, with or without a final dot. */
  readonly name: string;
  readonly type: QuestionType;
}

/** A record that says where a service is. */
export interface ServiceRecord {
  /** The lowest is to be used first. */
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** Without final dot; empty where the service is not to be had. */
  readonly target: string;
}

/** What a name server says. */
export interface Answer {
  /** None: there are no such records. */
  readonly addresses: readonly string[];
  readonly services: readonly ServiceRecord[];
  /** Whether the name itself exists. */
  readonly exists: boolean;
  /** How long this holds; undefined where it has no records. */
  readonly ttlSeconds: number | undefined;
}

/** A name server that does not answer the question: its RCODE (RFC 1035, 4.1.1). */
export class NoAnswer {
  readonly reason: string;

  constructor(code: number) {
    const names = ["", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    this.reason = `the name server answers ${names[code] ?? `error ${code}`}`;
  }
}

/** The message that asks a question. The name was checked as one of a host. */
export function writeQuestion({ id, name, type }: Question): Uint8Array<ArrayBuffer> {
  const labels = name.replace(/\.$/, "").split(".");
  const bytes = [id >> 8, id & 0xff, RECURSION_DESIRED >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of labels) {
    const text = new TextEncoder().encode(label);
    if (text.length === 0 || text.length > MAX_LABEL_BYTES) {
      throw new RangeError(`Cannot ask for the name ${JSON.stringify(name)}: a label has 1 to 63 bytes`);
    }
    bytes.push(text.length, ...text);
  }
  bytes.push(0, 0, TYPES[type], 0, CLASS_IN);
  return Uint8Array.from(bytes);
}

/** Reads the answer to a question. Aliases are followed within it, as a resolver gives them. */
export function readAnswer(bytes: Uint8Array, question: Question): Answer | NoAnswer | Malformed {
  const message = new Message(bytes);
  const id = message.fields.uint16();
  const flags = message.fields.uint16();
  const questions = message.fields.uint16();
  const answers = message.fields.uint16();
  message.fields.bytes(4);
  if (message.fields.isShort) return new Malformed("the answer is cut off");
  if (id !== question.id || (flags & IS_ANSWER) === 0) {
    return new Malformed("it is no answer to the question");
  }
  const code = flags & 0x0f;
  // A name that does not exist is an answer.
  if (code !== 0 && code !== 3) return new NoAnswer(code);
  if ((flags & IS_TRUNCATED) !== 0) return new Malformed("the answer says that it is cut off");
  if (questions !== 1) return new Malformed("it does not repeat the question");
  const asked = message.name();
  const type = message.fields.uint16();
  message.fields.uint16();
  const name = canonical(question.name);
  if (asked !== name || type !== TYPES[question.type]) return new Malformed("it answers another question");
  const records = readRecords(message, answers);
  return records instanceof Malformed ? records : answerIn(records, name, question.type, code === 0);
}

interface DnsRecord {
  readonly name: string;
  readonly ttlSeconds: number;
  readonly data: string | ServiceRecord;
  readonly type: number;
}

function readRecords(message: Message, count: number): DnsRecord[] | Malformed {
  const records: DnsRecord[] = [];
  for (let i = 0; i < count; i++) {
    const name = message.name();
    const type = message.fields.uint16();
    const isInternet = message.fields.uint16() === CLASS_IN;
    const ttl = message.fields.uint16() * 65_536 + message.fields.uint16();
    const length = message.fields.uint16();
    const end = message.at + length;
    const data = isInternet ? message.data(type, length) : undefined;
    message.skipTo(end);
    if (name === undefined || message.fields.isShort) return new Malformed("the answer is cut off");
    // One that has its highest bit set is 0 (RFC 2181, 8).
    const ttlSeconds = ttl >= 2 ** 31 ? 0 : ttl;
    if (data !== undefined) records.push({ name, type, ttlSeconds, data });
  }
  return records;
}

function answerIn(
  records: readonly DnsRecord[],
  name: string,
  type: QuestionType,
  exists: boolean,
): Answer | Malformed {
  const aliases = new Map(records.filter((it) => it.type === TYPES.CNAME).map((it) => [it.name, it]));
  const used: DnsRecord[] = [];
  let owner = name;
  for (let alias = aliases.get(owner); alias !== undefined; alias = aliases.get(owner)) {
    if (used.length === MAX_ALIASES) return new Malformed("the answer has too many aliases in a row");
    used.push(alias);
    owner = String(alias.data);
  }
  const found = records.filter((it) => it.name === owner && it.type === TYPES[type]);
  const data = found.map((it) => it.data);
  return {
    addresses: [...new Set(data.filter((it) => typeof it === "string"))],
    services: data.filter((it) => typeof it !== "string"),
    exists,
    ttlSeconds: found.length === 0 ? undefined : Math.min(...[...used, ...found].map((it) => it.ttlSeconds)),
  };
}

/** Names are compared without regard to case (RFC 1035, 2.3.3). */
function canonical(name: string): string {
  return name.replace(/\.$/, "").toLowerCase();
}

/** Reads a message from front to back; only names look back. */
class Message {
  readonly fields: Fields;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.fields = new Fields(bytes);
  }

  /** Where the next field begins. */
  get at(): number {
    return this.#bytes.length - this.fields.left;
  }

  skipTo(end: number): void {
    this.fields.bytes(Math.max(0, end - this.at));
  }

  /** A name in small letters without final dot; undefined when it is none. */
  name(): string | undefined {
    const read = readName(this.#bytes, this.at);
    this.skipTo(read?.end ?? Infinity);
    return read?.name;
  }

  /** What a record says; undefined for a kind that is not asked for, or for what is no such record. */
  data(type: number, length: number): DnsRecord["data"] | undefined {
    const isAddress = (type === TYPES.A && length === 4) || (type === TYPES.AAAA && length === 16);
    if (isAddress) return length <= this.fields.left ? ipText(this.fields.bytes(length)) : undefined;
    if (type === TYPES.CNAME) return this.name();
    if (type !== TYPES.SRV) return undefined;
    const [priority, weight, port] = [this.fields.uint16(), this.fields.uint16(), this.fields.uint16()];
    const target = this.name();
    return target === undefined ? undefined : { priority, weight, port, target };
  }
}

/** Each pointer has to lead further to the front than the one before, so that none leads in a circle. */
function readName(bytes: Uint8Array, start: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  let [at, size, end] = [start, 0, -1];
  let [lowest, pointers] = [start, 0];
  while (at < bytes.length) {
    const length = bytes[at] ?? 0;
    if (length >= 0xc0) {
      if (at + 1 === bytes.length || ++pointers > MAX_POINTERS) return undefined;
      const to = (length & 0x3f) << 8 | (bytes[at + 1] ?? 0);
      if (end === -1) end = at + 2;
      if (to >= lowest) return undefined;
      at = lowest = to;
      continue;
    }
    if (length > MAX_LABEL_BYTES) return undefined;
    at++;
    if (length === 0) return { name: labels.join("."), end: end === -1 ? at : end };
    size += length + 1;
    if (size > MAX_NAME_BYTES || at + length > bytes.length) return undefined;
    // A dot within a label is not the end of one (RFC 1035, 5.1).
    const label = String.fromCharCode(...bytes.subarray(at, at + length));
    labels.push(label.toLowerCase().replace(/[.\\]/g, "\\$&"));
    at += length;
  }
  return undefined;
}
