import type { Logger } from '@nestjs/common';
import { isFinalFailure } from '../../client/final-failure.js';
import { retryDelay } from '../../client/retry-delay.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 1000 };
/** After what only somebody else can put right. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };
/** What passes is worth a word when it comes again. */
const WORTH_A_WORD = 2;

/** What keeps a process from telling of its share: when it tries again, and what of it is said in the log, once. */
export class ShareTrouble {
  private failures = 0;
  private said: 'nothing' | 'passing' | 'final' = 'nothing';

  constructor(
    private readonly rule: string,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** It has failed. Gives after how many milliseconds to try again. */
  failed(error: unknown): number {
    const isFinal = isFinalFailure(error);
    this.failures += 1;
    const isNews = isFinal
      ? this.said !== 'final'
      : this.said === 'nothing' && this.failures >= WORTH_A_WORD;
    if (isNews) {
      this.said = isFinal ? 'final' : 'passing';
      this.logger.warn(
        `The share of the limit "${this.rule}" cannot be told, which is tried again; the last one stands: ${String(error)}`,
      );
    }
    return retryDelay(this.failures, isFinal ? RETRY_SLOWLY : RETRY);
  }

  /** It was told. */
  over(): void {
    this.failures = 0;
    this.said = 'nothing';
  }
}
