/** Bytes that count their reads, and throw when one is beyond their end. */

/** What was read of it, by index or as a part copied. */
export interface Trapped {
  readonly view: Uint8Array;
  /** Bytes read so far, of the view and of all views into it. */
  reads(): number;
}

export function trapped(bytes: Uint8Array): Trapped {
  const count = { reads: 0 };
  return { view: viewOf(bytes, count), reads: () => count.reads };
}

function viewOf(bytes: Uint8Array, count: { reads: number }): Uint8Array {
  return new Proxy(bytes, {
    get(target, property): unknown {
      if (typeof property === "string" && /^-?\d+$/.test(property)) {
        const index = Number(property);
        if (index < 0 || index >= target.length) {
          throw new RangeError(`A read at ${index} of ${target.length}`);
        }
        count.reads++;
        return target[index];
      }
      if (property === "subarray") {
        return (begin = 0, end = target.length) => viewOf(target.subarray(begin, end), count);
      }
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      // Every other method reads the whole view at most, which cannot reach beyond its end.
      return (...args: unknown[]) => {
        count.reads += target.length;
        return value.apply(target, args);
      };
    },
  });
}
