/** What other programs call what is meant here; and the word that a mistyped one stands for. */

import { nearest } from "./nearest.ts";

/** Names of HAProxy, nginx, Envoy, LVS and other programs, in small letters and without signs between the words. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  round_robin: ["rr", "wrr", "weightedroundrobin", "staticrr", "weighted"],
  least_connections: ["leastconn", "leastconns", "lc", "wlc", "leastrequest", "leastrequests", "least"],
  random_two: ["p2c", "poweroftwo", "poweroftwochoices", "randomtwoleastconn", "random2", "rand2"],
  random: ["rand"],
  first: ["failover", "firstavailable", "priority"],
  maglev: ["source", "iphash", "hash", "sourcehash", "sh", "mh", "ringhash", "ketama", "consistent"]
    .concat(["consistenthash", "chash", "sticky", "sourceip", "uri"]),
  warn: ["warning", "notice"],
  error: ["err", "crit", "critical", "fatal", "alert", "emerg", "panic"],
  debug: ["trace", "verbose", "all"],
  tcp: ["connect", "l4", "port"],
  http: ["https", "httpchk", "httpget", "get"],
  text: ["plain", "logfmt", "console"],
  source_ip: ["ip", "src", "client", "clientip", "remoteaddr", "binaryremoteaddr"],
};

/** The known word that has this name elsewhere, or is written with other signs, as `round-robin`; undefined for others. */
export function sameAs(word: string, known: readonly string[]): string | undefined {
  const plain = bare(word);
  return known.find((it) => bare(it) === plain) ?? known.find((it) => OTHER_NAMES[it]?.includes(plain));
}

/** The known word that is probably meant by another one: the same under another name, or else one that looks alike. */
export function meantBy(word: string, known: readonly string[]): string | undefined {
  return sameAs(word, known) ?? nearest(word.toLowerCase(), known);
}

/** Small letters and digits only. */
export function bare(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, "");
}
