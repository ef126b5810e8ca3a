import { onAbort } from '../../context/abort-links.js';
import { CallScope } from './call-scope.js';

/** What ends a call from its caller's side: signals, and the attempt that it is made in. */
export class CallersWish {
  /** Ends with the first of them. */
  readonly scope = new CallScope();
  private readonly cuts: readonly (() => void)[];

  constructor(
    private readonly signals: readonly AbortSignal[],
    around: CallScope | null,
  ) {
    const cuts = signals.map((signal) =>
      onAbort(signal, () => this.scope.end(signal.reason as unknown)),
    );
    this.cuts = around ? [...cuts, around.onEnd((reason) => this.scope.end(reason))] : cuts;
  }

  /**
   * Reads each by itself: those of terms and locks ask the clock as they are read.
   *
   * @throws the reason of the first that has aborted; it is closed then
   */
  assertStands(): void {
    for (const signal of this.signals) {
      if (signal.aborted) this.scope.end(signal.reason as unknown);
    }
    if (!this.scope.isOver) return;
    this.close();
    throw this.scope.reason;
  }

  close(): void {
    for (const cut of this.cuts) cut();
  }
}
