/**
 * How long somebody waits for something: until it ends, with a reason. Like an `AbortController` with a
 * parent, and made for each attempt of each call: so it makes a signal, which takes longer than everything
 * else here together, only for who asks for one.
 */
export class CallScope {
  private ended = false;
  private endedBy: Error | undefined;
  private listeners: Set<(reason: Error) => void> | undefined;
  private controller: AbortController | undefined;

  get isOver(): boolean {
    return this.ended;
  }

  /** What it ended by: an error, unless whoever ended it gave something else. */
  get reason(): Error {
    return this.endedBy!;
  }

  /** Aborts when it ends. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.ended) this.controller.abort(this.endedBy);
    }
    return this.controller.signal;
  }

  /** Ends it, once. */
  end(reason: unknown): void {
    if (this.ended) return;
    this.ended = true;
    const error = (this.endedBy = reason as Error);
    const told = this.listeners;
    this.listeners = undefined;
    for (const tell of told ?? []) tell(error);
    // Last, for its listeners are others' and may do anything.
    this.controller?.abort(reason);
  }

  /** Calls back when it ends, at once if it has, unless it is cut off before. */
  onEnd(callback: (reason: Error) => void): () => void {
    if (this.ended) {
      callback(this.reason);
      return () => undefined;
    }
    this.listeners ??= new Set();
    this.listeners.add(callback);
    return () => this.listeners?.delete(callback);
  }
}
