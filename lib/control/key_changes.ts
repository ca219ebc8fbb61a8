/** Which certificates are new in what was read again. Pure. */

import type { CertificateFacts } from "../config/certificates.ts";
import type { AllKeyMaterial, KeyMaterial } from "../config/key_files.ts";
import { certificateTitle } from "../core/certificate_title.ts";

/** What is compared of one pair, or of the authorities of one listener or pool. */
interface Part {
  readonly facts: readonly CertificateFacts[];
  readonly pem: string;
  readonly isAuthority: boolean;
}

/**
 * What the certificates are called that are new in their places: one that is in use elsewhere is new where it was not. Of a key nothing
 * is compared, since a new one needs a new certificate.
 *
 * @param after Of the same configuration.
 * @return Undefined when none is new.
 */
export function keyChanges(
  before: AllKeyMaterial,
  after: AllKeyMaterial,
): Record<string, string[]> | undefined {
  const known = partsOf(before);
  const fresh = [...partsOf(after)].flatMap(([place, part]) =>
    part.pem === known.get(place)?.pem ? [] : [part]
  );
  if (fresh.length === 0) return undefined;
  const titles = (isAuthority: boolean): string[] => [
    ...new Set(
      fresh.filter((it) => it.isAuthority === isAuthority).flatMap(({ facts }) =>
        facts.map(certificateTitle)
      ),
    ),
  ];
  const [certificates, authorities] = [titles(false), titles(true)];
  return {
    ...(certificates.length === 0 ? {} : { certificates }),
    ...(authorities.length === 0 ? {} : { authorities }),
  };
}

/** By where they stand in the configuration. */
function partsOf({ listeners, pools }: AllKeyMaterial): Map<string, Part> {
  const of = (kind: string, all: ReadonlyMap<string, KeyMaterial>): [place: string, Part][] =>
    [...all].flatMap(([name, { pairs, authorities }]) => [
      ...pairs.map(({ facts, cert }, i): [string, Part] => {
        return [`${kind} ${name} ${i}`, { facts: [facts], pem: cert, isAuthority: false }];
      }),
      ...(authorities === undefined
        ? []
        : [[`${kind} ${name} ca`, { ...authorities, isAuthority: true }] satisfies [string, Part]]),
    ]);
  return new Map([...of("listener", listeners), ...of("pool", pools)]);
}
