/** A configuration in etcd while its balancer runs: what a reload reads, how changes come into force, what is shown of it. */

import type { Operations } from "../admin/operations.ts";
import type { RolloutStatus } from "../admin/status.ts";
import type { EngineOf } from "../config/engine_checks.ts";
import type { EtcdUrl } from "../config/etcd_url.ts";
import { type PlacedConfig, placeText } from "../config/read.ts";
import type { Balancer } from "../control/balancer.ts";
import { configDigest } from "../control/config_digest.ts";
import { etcdOptionsOf, readStoredText } from "../control/stored_config.ts";
import { servedSessions } from "../control/totals.ts";
import { etcdAgreement } from "../fleet/agreement.ts";
import { follow } from "../fleet/follow.ts";
import { Rollout } from "../fleet/rollout.ts";
import { resultOf } from "../fleet/trial.ts";

export interface FollowedConfigOptions {
  readonly url: EtcdUrl;
  /** What is in force at the start. */
  readonly text: string;
  /** Whether each change comes into force, also without `rollout`. */
  readonly follows: boolean;
  readonly balancer: Balancer;
  readonly operations: () => Pick<Operations, "reload" | "status">;
}

export class FollowedConfig {
  readonly #options: FollowedConfigOptions;
  readonly #agreement;
  readonly #rollout: Rollout;
  /** What was read to be put into force. */
  #read: string | undefined;

  constructor(options: FollowedConfigOptions) {
    const { url, text, follows, balancer, operations } = options;
    this.#options = options;
    this.#agreement = etcdAgreement({ ...etcdOptionsOf(url), path: url.path });
    this.#rollout = new Rollout({
      agreement: this.#agreement,
      path: url.path,
      text,
      follows,
      policy: () => balancer.config.fleet?.rollout,
      name: () => balancer.config.fleet?.name ?? "",
      reload: async () => {
        const done = await operations().reload();
        return done.ok ? undefined : done.faults.join("; ");
      },
      sessions: () => servedSessions(balancer.totals),
      isReady: () => operations().status().ready,
      log: balancer.journal,
      now: () => performance.now(),
    });
  }

  /** As {@linkcode follow}. */
  follow(stop: AbortSignal): Promise<void> {
    return follow(this.#rollout, this.#agreement, stop);
  }

  /** What a reload reads: where changes come into force by themselves, what is to be in force now; or else what is under the key. */
  async read(engineOf: EngineOf, stop: AbortSignal): Promise<PlacedConfig> {
    const { url } = this.#options;
    this.#read = this.#rollout.isFollowing ? undefined : await readStoredText(url, stop);
    return await placeText(url.name, this.#read ?? this.#rollout.text, true, engineOf);
  }

  /** What was read is in force. */
  inForce(): void {
    if (this.#read !== undefined) this.#rollout.take(this.#read);
  }

  status(): RolloutStatus {
    const { revision, state, reason, since, canaries, trouble, troubleSince } = this.#rollout;
    return {
      digest: configDigest(this.#options.balancer.membership.written),
      revision: revision ?? null,
      state,
      reason,
      since: since.toISOString(),
      canaries: canaries.map((it) => ({ name: it.name, result: resultOf(it) })),
      trouble,
      trouble_since: trouble === "" ? null : troubleSince.toISOString(),
    };
  }
}
