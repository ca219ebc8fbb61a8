/** PEM (RFC 7468): texts between `-----BEGIN X-----` and `-----END X-----`. Pure. */

const MARK = /-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----/g;

/** One text of a file, as it stands there. */
export interface PemBlock {
  /** As `CERTIFICATE`. */
  readonly label: string;
  /** With the lines that begin and end it. */
  readonly text: string;
}

/** The blocks of a text, whatever stands between them; what is begun and not ended is none. Takes time in proportion to the text. */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let begun: { label: string; start: number } | undefined;
  for (const match of text.matchAll(MARK)) {
    const [mark, kind, label = ""] = match;
    if (kind === "BEGIN") begun = { label, start: match.index };
    else {
      if (begun?.label === label) {
        blocks.push({ label, text: text.slice(begun.start, match.index + mark.length) + "\n" });
      }
      begun = undefined;
    }
  }
  return blocks;
}

/** The label of the block within which a text ends; undefined when it ends outside of all. */
export function cutOffLabel(text: string): string | undefined {
  const [, kind, label] = [...text.matchAll(MARK)].at(-1) ?? [];
  return kind === "BEGIN" ? label : undefined;
}

/** Whether a private key can be read only with a passphrase: in the form of PKCS #8, or in that of OpenSSL before it. */
export function isEncrypted({ label, text }: PemBlock): boolean {
  return label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type: *4, *ENCRYPTED/m.test(text);
}
