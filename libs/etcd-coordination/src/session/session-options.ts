/** How the process's lease is kept. */
export interface SessionOptions {
  /**
   * The lease's time to live, a whole number of seconds from 1. A server may grant more
   * (etcd's least is 2 with its default election timeout), and what was granted counts.
   * After a crash this is how long the next leader has to wait. Default 10.
   */
  readonly ttlSeconds: number;
}

export const DEFAULT_SESSION_OPTIONS: SessionOptions = { ttlSeconds: 10 };
