// deno-lint-ignore-file no-await-in-loop -- one scene follows another

/** What goes wrong in the demo with `--chaos`: one server fails, each time in another way, and recovers. */

import { GOOD } from "../core/misbehaviour.ts";
import type { MisbehavingServer } from "../respond/misbehaving_server.ts";

/** How long it is well before the first scene. */
const FIRST_MS = 2_000;

/** How long it fails, and how long it is well: time enough for health checks to notice, and for people to see it. */
const SCENE_MS = 8_000;

type Server = Pick<MisbehavingServer, "set" | "down" | "up">;

interface Scene {
  readonly says: string;
  readonly begin: (server: Server) => Promise<void> | void;
}

const SCENES: readonly Scene[] = [
  { says: "is gone: connections are refused", begin: (server) => server.down() },
  {
    says: "is slow: an answer takes 100 to 300 ms",
    begin: (server) => server.set({ delay: { kind: "range", fromMs: 100, toMs: 300 } }),
  },
  {
    says: "resets about every second connection",
    begin: (server) => server.set({ failRate: 0.5, failHow: "reset" }),
  },
];

/**
 * Plays the scenes, over and over, until it is stopped.
 *
 * @param say Told what has just begun.
 * @param pause Resolves after so many ms, or when it is stopped.
 */
export async function playChaos(
  server: Server,
  say: (what: string) => Promise<void>,
  pause: (ms: number) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  for (let i = 0;; i++) {
    await pause(i === 0 ? FIRST_MS : SCENE_MS);
    const scene = SCENES[i % SCENES.length];
    if (scene === undefined || stop.aborted) return;
    await scene.begin(server);
    await say(scene.says);
    await pause(SCENE_MS);
    if (stop.aborted) return;
    server.set({ delay: GOOD.delay, failRate: GOOD.failRate });
    await server.up();
    await say("is well again");
  }
}
