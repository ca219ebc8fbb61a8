/** JSON in which no control character is left: DEL and the 8-bit ones, which JSON allows, could steer a terminal. */
export function quote(value: unknown): string {
  return JSON.stringify(value).replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}
