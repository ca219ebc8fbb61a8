/** Bytes that break the rules of their format, so that no more of them can help. */
export class Malformed {
  /** One sentence, small at its beginning and without a final dot, for the record of the session. It quotes nothing that the peer has sent. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}
