/** Keys of etcd with a common prefix, a member each. */

import { reasonOf } from "../core/errors.ts";
import { MAX_MEMBERS, whyTooMany } from "../core/member_limit.ts";
import type { EtcdOptions } from "./etcd_client.ts";
import { followKeys, type Values } from "./etcd_keys.ts";
import type { Found, Member, Pause, Source } from "./source.ts";

export interface EtcdSourceOptions extends EtcdOptions {
  /** As `/sockbal/web/`. */
  readonly prefix: string;
  /** Reads the value of a key. Throws an error with one sentence. */
  readonly parse: (value: string) => Member;
  readonly pause?: Pause | undefined;
  /** How long a watch may be silent before it is opened anew; a test may have less. */
  readonly quietMs?: number;
}

/** What changes within it is told at once: to tell of ten thousand members takes a while. */
const TELL_AFTER_MS = 100;

const MAX_SENTENCE = 500;

export function etcdSource(options: EtcdSourceOptions): Source {
  return {
    follow: async (onFound, onTrouble, stop) => {
      const members = new Members(options.parse);
      let isFirst = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let pending: Values | undefined;
      const tell = (): void => {
        clearTimeout(timer);
        if (pending === undefined || stop.aborted) return;
        onFound(members.found(pending));
        isFirst = false;
        timer = pending = undefined;
      };
      await followKeys(
        { ...options, maxKeys: MAX_MEMBERS, whyTooMany },
        (values) => {
          pending = values;
          if (isFirst) tell();
          else timer ??= setTimeout(tell, TELL_AFTER_MS);
        },
        (why) => {
          // What was seen before comes before.
          tell();
          onTrouble(why);
        },
        stop,
      );
      clearTimeout(timer);
    },
  };
}

/** What was read of the keys. */
class Members {
  readonly #parse: (value: string) => Member;
  /** By key: a member, or why it is none. */
  #read = new Map<string, { readonly revision: string; readonly member: Member | string }>();

  constructor(parse: (value: string) => Member) {
    this.#parse = parse;
  }

  /** In the order of the keys, so that of two with one name every balancer takes the same. */
  found(values: Values): Found {
    const read = new Map<string, { revision: string; member: Member | string }>();
    for (const [key, { value, revision }] of [...values].sort(([one], [other]) => one < other ? -1 : 1)) {
      const known = this.#read.get(key);
      read.set(key, known?.revision === revision ? known : { revision, member: this.#member(key, value) });
    }
    this.#read = read;
    const all = [...read.values()].map(({ member }) => member);
    return {
      members: all.filter((it) => typeof it !== "string"),
      refused: all.filter((it) => typeof it === "string"),
    };
  }

  #member(key: string, value: string): Member | string {
    try {
      return this.#parse(value);
    } catch (error) {
      return `key ${JSON.stringify(key)}: ${reasonOf(error)}`.slice(0, MAX_SENTENCE);
    }
  }
}
