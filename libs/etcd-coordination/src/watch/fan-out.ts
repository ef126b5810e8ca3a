import type { Logger } from '@nestjs/common';

/** Those who follow one thing: each is told what comes, whatever the others make of it. */
export class FanOut<T = void> {
  // Replaced, never changed: who comes or goes while all are told does so from the next time on.
  private followers: readonly ((news: T) => void)[] = [];

  constructor(
    /** What is followed, for people. */
    private readonly name: string,
    private readonly logger: Logger,
  ) {}

  /** Tells `follower`, too, from the next time on. Returns what ends that. */
  add(follower: (news: T) => void): () => void {
    // One who was added twice is told twice, and ends each by itself.
    const own = (news: T) => follower(news);
    this.followers = [...this.followers, own];
    return () => {
      this.followers = this.followers.filter((other) => other !== own);
    };
  }

  /** Tells all, in the order in which they came. What one of them throws is logged. */
  tell(news: T): void {
    for (const follower of this.followers) {
      try {
        follower(news);
      } catch (error) {
        this.logger.error(
          `Something that follows ${this.name} failed; it goes on with the next change: ${String(error)}`,
          error instanceof Error ? error.stack : undefined,
        );
      }
    }
  }

  /** Tells nobody any more. */
  clear(): void {
    this.followers = [];
  }
}
