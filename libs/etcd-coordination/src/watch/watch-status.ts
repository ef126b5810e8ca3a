/** How current one standing watch is. */
export interface WatchStatus {
  /** The whole key or prefix that it is of. */
  readonly name: string;
  /** Whether what it shows has been listed once. */
  readonly isListed: boolean;
  /** Milliseconds since that was last known to be what etcd holds; before the first list, since it was asked for. */
  readonly ageMs: number;
}
