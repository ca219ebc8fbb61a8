/** Answers in gzip (RFC 9110, 12.5.3) for those who can read it, when it pays. */

/** What fits into one packet is no faster when it is smaller. */
const LEAST_BYTES = 1_400;

/** Compressed at a time, so that other work of this thread comes in between: some half a millisecond. */
const SLICE_BYTES = 64 * 1024;

/** The header with which caches tell the two forms of an answer apart. */
export const VARY = { "vary": "accept-encoding" } as const;

/**
 * Whether a client takes gzip.
 *
 * @param acceptEncoding The header; undefined when there is none, which leaves it to us, but asks for nothing.
 */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map(
    (acceptEncoding ?? "").toLowerCase().split(",").map((part) => {
      const [coding = "", ...parameters] = part.split(";").map((it) => it.trim());
      const weight = parameters.find((it) => it.startsWith("q="))?.slice(2) ?? "1";
      return [coding, Number(weight)];
    }),
  );
  return (weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0) > 0;
}

/** The bytes in gzip; undefined when they are too few to be worth it. */
export async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (bytes.length < LEAST_BYTES) return undefined;
  let at = 0;
  const slices = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => {
      controller.enqueue(bytes.subarray(at, at += SLICE_BYTES));
      if (at >= bytes.length) controller.close();
    },
  });
  return new Uint8Array(await new Response(slices.pipeThrough(new CompressionStream("gzip"))).arrayBuffer());
}
