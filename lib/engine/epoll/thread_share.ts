/** What a thread shares with the others of its process. */
export interface ThreadShare {
  /** The descriptor that wakes it. */
  readonly bell: number;
  /** Where it notes what it has open; see descriptors.ts. */
  readonly descriptors: SharedArrayBuffer;
  /** How many connections each thread has, and whose place this one has there; see loads.ts. */
  readonly loads: SharedArrayBuffer;
  readonly place: number;
  /** One cell, where it puts the number by which the system knows it (gettid(2)). */
  readonly thread: SharedArrayBuffer;
}
