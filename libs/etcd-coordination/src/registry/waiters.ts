/** Those who wait until something is so, be it that it changes or has been so all along. */
export class Waiters {
  private readonly looks = new Set<() => void>();

  /** Resolves when `done`, which is asked at once and at each {@link tell}. */
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!done()) return;
        this.looks.delete(look);
        resolve();
      };
      this.looks.add(look);
      look();
    });
  }

  /** What they wait for may be so now. */
  tell(): void {
    for (const look of this.looks) look();
  }
}
