/** What was begun between two waits for its end. */
export class Round {
  open = 0;
  readonly whenOver: (() => void)[] = [];
}

/** Counts what is under way, for those who wait until what there was has ended: what comes later is not theirs. */
export class Rounds {
  private current = new Round();
  private readonly awaited = new Set<Round>();

  /** Whether anybody waits. */
  get areAwaited(): boolean {
    return this.awaited.size > 0;
  }

  /** Something begins, as part of what it returns. */
  begin(): Round {
    this.current.open += 1;
    return this.current;
  }

  end(round: Round): void {
    round.open -= 1;
    if (round.open > 0 || !this.awaited.delete(round)) return;
    for (const resolve of round.whenOver) resolve();
  }

  /** Resolves when everything has ended that began before. */
  async over(): Promise<void> {
    if (this.current.open > 0) {
      this.awaited.add(this.current);
      this.current = new Round();
    }
    const each = [...this.awaited].map(
      ({ whenOver }) => new Promise<void>((resolve) => whenOver.push(resolve)),
    );
    await Promise.all(each);
  }
}
