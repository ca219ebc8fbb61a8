import assert from "node:assert/strict";
import { Buffers } from "../../lib/engine/runtime/buffers.ts";

type Buffer = Uint8Array<ArrayBuffer>;

/** Buffers that know which of them are in use. */
export class CountedBuffers extends Buffers {
  readonly inUse = new Set<Buffer>();

  override small(): Buffer {
    return this.#taken(super.small());
  }

  override large(): Buffer {
    return this.#taken(super.large());
  }

  override giveBack(buffer: Buffer): void {
    assert.ok(this.inUse.delete(buffer), "a buffer was given back twice");
    super.giveBack(buffer);
  }

  override fitted(buffer: Buffer, filled: number): Buffer {
    return this.#taken(super.fitted(buffer, filled));
  }

  #taken(buffer: Buffer): Buffer {
    this.inUse.add(buffer);
    return buffer;
  }
}
