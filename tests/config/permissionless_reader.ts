/// <reference lib="deno.worker" />

/** A worker that tries to read a configuration and answers with what came of it. */

import { readConfig } from "../../lib/config/read.ts";

self.onmessage = async ({ data }: MessageEvent<string>): Promise<void> => {
  try {
    await readConfig(data);
    self.postMessage("it was read");
  } catch (error) {
    self.postMessage(String(error));
  }
};
