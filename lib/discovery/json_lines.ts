/** The lines of an answer that goes on, each as soon as it is whole. */

/** @throws {RangeError} when a line is longer than the limit. */
export async function* lines(response: Response, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n");
    parts.push(first);
    for (const other of others) {
      const line = parts.join("");
      parts = [other];
      size = other.length;
      if (line.trim() !== "") yield line;
    }
    if (size > maxBytes) throw new RangeError("the answer is too long");
  }
}
