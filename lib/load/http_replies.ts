import { joined } from "../core/joined.ts";
import { NameReader } from "./name_reader.ts";
import { CORRUPT, type Replies } from "./replies.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const MAX_HEAD_BYTES = 64 * 1024;

/** A response that is kept to be recognized as a whole. */
const MAX_SAME_BYTES = 1024;

const [CR, LF] = [13, 10];

/** Every response begins with it. */
const START = new TextEncoder().encode("HTTP/1.");

/** Where the body of a response ends (RFC 9112, 6.3). */
type Body = { readonly until: "end" } | { readonly until: "chunks" } | {
  readonly until: "length";
  bytes: number;
};

/** Responses of HTTP/1.1: whole ones are replies, whatever their status. */
export class HttpReplies implements Replies {
  isLast = false;
  readonly #name: NameReader;
  readonly #onName: (name: string) => void;
  readonly #isHead: boolean;
  /** The last response that came in one piece, and the name in it: the next one is mostly the same. */
  #same: Bytes | undefined;
  #sameName: string | undefined;
  /** The beginning of a head. */
  #head: Bytes | undefined;
  #body: Body | undefined;
  /** The head that was read last, and what it says: most are the same. */
  #known: Bytes | undefined;
  #knownLength = 0;
  #chunks: ChunkReader | undefined;
  #whole = 0;

  /** @param isHead Whether it is asked for heads alone (RFC 9112, 6.3). */
  constructor(onName: (name: string) => void, isHead: boolean) {
    this.#name = new NameReader(onName);
    this.#onName = onName;
    this.#isHead = isHead;
  }

  read(bytes: Bytes, length: number, sent: number): number {
    let ended = 0;
    /** Where the response begins, where all of it is in these bytes. */
    let start = this.#body === undefined && this.#head === undefined ? 0 : -1;
    for (let at = 0; at < length;) {
      if (start === at && beginsWith(bytes, at, length, this.#same)) {
        if (this.#sameName !== undefined) this.#onName(this.#sameName);
        at += this.#same?.length ?? 0;
        start = at;
      } else {
        const next = this.#body === undefined
          ? this.#readHead(bytes, at, length)
          : this.#readBody(this.#body, bytes, at, length);
        if (next === CORRUPT) return CORRUPT;
        at = next;
        if (!this.#isWhole) continue;
        this.#endReply(bytes, start, at);
        start = at;
      }
      ended++;
      if (++this.#whole > sent) return CORRUPT;
    }
    return ended;
  }

  end(): boolean {
    if (this.#body?.until !== "end") return false;
    this.#name.end();
    return true;
  }

  get #isWhole(): boolean {
    const body = this.#body;
    if (body === undefined || body.until === "end") return false;
    return body.until === "length" ? body.bytes === 0 : this.#chunks?.isOver === true;
  }

  #endReply(bytes: Bytes, start: number, end: number): void {
    const name = this.#name.end();
    const isSized = this.#body?.until === "length";
    this.#body = undefined;
    this.#chunks = undefined;
    if (start === -1 || !isSized || this.isLast || end - start > MAX_SAME_BYTES) return;
    this.#same = bytes.slice(start, end);
    this.#sameName = name;
  }

  /** @return Where the next part begins. */
  #readHead(bytes: Bytes, from: number, to: number): number {
    if (this.#head === undefined && beginsWith(bytes, from, to, this.#known)) {
      this.#body = { until: "length", bytes: this.#knownLength };
      return from + (this.#known?.length ?? 0);
    }
    const before = this.#head?.length ?? 0;
    const head = this.#head === undefined
      ? bytes.slice(from, to)
      : joined(this.#head, bytes.subarray(from, to));
    if (!beginsWith(head, 0, head.length, START.subarray(0, head.length))) return CORRUPT;
    const end = endOfHead(head);
    if (end === -1) {
      this.#head = head;
      return head.length > MAX_HEAD_BYTES ? CORRUPT : to;
    }
    this.#head = undefined;
    return this.#understand(head.subarray(0, end)) ? from + end - before : CORRUPT;
  }

  #understand(bytes: Bytes): boolean {
    const head = String.fromCharCode(...bytes);
    const [, minor, status = ""] = /^HTTP\/1\.([01]) (\d{3})/.exec(head) ?? [];
    if (minor === undefined) return false;
    // "Continue" and its like come before the response itself.
    if (status.startsWith("1") && status !== "101") return true;
    const connection = field(head, "connection")?.toLowerCase() ?? "";
    this.isLast = connection.includes("close") || (minor === "0" && !connection.includes("keep-alive"));
    if (this.#isHead || status === "204" || status === "304") {
      this.#body = { until: "length", bytes: 0 };
      return true;
    }
    const length = field(head, "content-length");
    if (field(head, "transfer-encoding")?.toLowerCase().includes("chunked") === true) {
      this.#body = { until: "chunks" };
      this.#chunks = new ChunkReader();
    } else if (length === undefined) this.#body = { until: "end" };
    else if (!/^\d{1,15}$/.test(length)) return false;
    else {
      this.#body = { until: "length", bytes: Number(length) };
      this.#known = this.isLast ? undefined : bytes;
      this.#knownLength = Number(length);
    }
    return true;
  }

  #readBody(body: Body, bytes: Bytes, from: number, to: number): number {
    if (this.#chunks !== undefined) return this.#chunks.read(bytes, from, to);
    const end = body.until === "length" ? Math.min(to, from + body.bytes) : to;
    this.#name.add(bytes, from, end);
    if (body.until === "length") body.bytes -= end - from;
    return end;
  }
}

function beginsWith(bytes: Bytes, from: number, to: number, start: Bytes | undefined): boolean {
  if (start === undefined || to - from < start.length) return false;
  for (let i = 0, at = from; i < start.length; i++, at++) if (bytes[at] !== start[i]) return false;
  return true;
}

/** Behind the empty line; -1 when there is none yet. A line may end with LF alone (RFC 9112, 2.2). */
function endOfHead(bytes: Bytes): number {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[bytes[at - 1] === CR ? at - 2 : at - 1] === LF) return at + 1;
  }
  return -1;
}

function field(head: string, name: string): string | undefined {
  return new RegExp(`\\n${name}:[ \\t]*([^\\r\\n]*?)[ \\t]*\\r?\\n`, "i").exec(head)?.[1];
}

/** Finds the end of a body in chunks (RFC 9112, 7.1). */
class ChunkReader {
  isOver = false;
  #left = 0;
  #line = "";
  /** `size`: a line with it; `data`: that many bytes, and the line end after them; `trailer`: lines up to an empty one. */
  #expecting: "size" | "data" | "trailer" = "size";

  read(bytes: Bytes, from: number, to: number): number {
    for (let at = from; at < to;) {
      if (this.#expecting === "data") {
        const taken = Math.min(this.#left, to - at);
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) this.#expecting = "size";
        continue;
      }
      const byte = bytes[at++] as number;
      if (byte !== LF) {
        if (byte !== CR) this.#line += String.fromCharCode(byte);
        if (this.#line.length > MAX_HEAD_BYTES) return CORRUPT;
        continue;
      }
      const line = this.#line;
      this.#line = "";
      if (this.#expecting === "trailer") {
        if (line !== "") continue;
        this.isOver = true;
        return at;
      }
      const size = /^([0-9a-f]{1,13})[ \t]*(?:;|$)/i.exec(line)?.[1];
      if (size === undefined) return CORRUPT;
      this.#expecting = parseInt(size, 16) === 0 ? "trailer" : "data";
      this.#left = parseInt(size, 16) + 2;
    }
    return to;
  }
}
