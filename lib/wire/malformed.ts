/** Bytes that break the rules of their format, so that no more of them can help. */
export class Malformed {
  /**
   * @param reason One sentence without a final dot, for the record of the session. It quotes nothing that the peer has sent.
   */
  constructor(readonly reason: string) {}
}
