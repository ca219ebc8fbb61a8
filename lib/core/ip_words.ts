/** IP addresses as 32-bit numbers, read quickly: it is done for sessions, and ip_bytes.ts takes a few microseconds. Pure. */

const COLON = 0x3a;
const DOT = 0x2e;

const groups = new Uint16Array(8);

/**
 * Reads an IP address in any form; a zone is left out. IPv4 that is mapped into IPv6 (RFC 4291, 2.5.5.2) is IPv4.
 *
 * @param into Gets the address: one word for IPv4, four for IPv6, the most significant first. Undefined words stay as they are.
 * @return The family; undefined for any other text.
 */
export function readIP(text: string, into: Uint32Array): 4 | 6 | undefined {
  const zone = text.indexOf("%");
  const end = zone === -1 ? text.length : zone;
  if (!text.includes(":")) {
    const number = zone === -1 ? readIPv4(text, 0, end) : -1;
    if (number < 0) return undefined;
    into[0] = number;
    return 4;
  }
  if (!readGroups(text, end)) return undefined;
  for (let i = 0; i < 4; i++) into[i] = (groups[2 * i] ?? 0) * 0x10000 + (groups[2 * i + 1] ?? 0);
  if (into[0] !== 0 || into[1] !== 0 || into[2] !== 0xffff) return 6;
  into[0] = into[3] ?? 0;
  return 4;
}

/** Reads eight groups of 16 bits (RFC 4291, 2.2) into {@linkcode groups}; false when there are none. */
function readGroups(text: string, end: number): boolean {
  let count = 0;
  /** How many groups stand before `::`. */
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === COLON && text.charCodeAt(1) === COLON) [gap, at] = [0, 2];
  while (at < end) {
    const begin = at;
    let group = 0;
    while (at < end) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0) break;
      group = group * 16 + digit;
      at++;
    }
    if (at < end && text.charCodeAt(at) === DOT) {
      const number = readIPv4(text, begin, end);
      if (number < 0 || count > 6) return false;
      groups[count++] = number >>> 16;
      groups[count++] = number & 0xffff;
      break;
    }
    if (at === begin || at - begin > 4 || count === 8) return false;
    groups[count++] = group;
    if (at === end) break;
    if (text.charCodeAt(at++) !== COLON || at === end) return false;
    if (text.charCodeAt(at) !== COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    at++;
  }
  if (gap < 0) return count === 8;
  if (count > 7) return false;
  groups.copyWithin(8 - (count - gap), gap, count);
  groups.fill(0, gap, 8 - (count - gap));
  return true;
}

/** Four decimal numbers without zeros in front, as one of 32 bits; -1 for any other text. */
function readIPv4(text: string, begin: number, end: number): number {
  let [number, parts, part, digits] = [0, 0, 0, 0];
  for (let i = begin; i <= end; i++) {
    const code = i < end ? text.charCodeAt(i) : DOT;
    if (code === DOT) {
      if (digits === 0 || part > 255 || ++parts > 4) return -1;
      number = number * 256 + part;
      [part, digits] = [0, 0];
    } else {
      if (code < 0x30 || code > 0x39 || ++digits > 3 || (digits > 1 && part === 0)) return -1;
      part = part * 10 + code - 0x30;
    }
  }
  return parts === 4 ? number : -1;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
