/** What a thread shares with the others of its process. */
export interface ThreadShare {
  /** The descriptor that wakes it. */
  readonly bell: number;
  /** Where it notes what it has open; see descriptors.ts. */
  readonly descriptors: SharedArrayBuffer;
  /** How many connections each thread has, and whose place this one has there; see loads.ts. */
  readonly loads: SharedArrayBuffer;
  readonly place: number;
}
