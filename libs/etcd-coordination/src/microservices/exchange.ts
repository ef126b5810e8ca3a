import type { Observable, Subscriber, Subscription } from 'rxjs';
import { onAbort } from '../context/abort-links.js';
import { UnsaidReason } from '../discovery/silence.js';

/** A message on its way to one instance or another, and the answers that its sender waits for. */
export class Exchange {
  private readonly wish = new AbortController();
  private hasAnswered = false;
  private answers: Subscription | null = null;

  constructor(private readonly sender: Subscriber<unknown>) {}

  /** Aborts when the sender gives up before there was an answer. */
  get signal(): AbortSignal {
    return this.wish.signal;
  }

  /** The sender waits for no answer any more. */
  giveUp(): void {
    this.answers?.unsubscribe();
    // One who has his answer, and unsubscribes as he gets it, says nothing against the instance.
    // Whether he has waited for too long, as with RxJS's `timeout`, an unsubscription does not say.
    if (!this.hasAnswered) this.wish.abort(new UnsaidReason());
  }

  /**
   * Gives the answers of an instance on to the sender. Resolves with the first of them, or with their end;
   * fails with an error that comes before, which the sender is not told. Until then `attempt` ends it.
   *
   * @param release is called once, when no more answers are waited for
   */
  firstOf(answers: Observable<unknown>, attempt: AbortSignal, release: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const answered = () => {
        this.hasAnswered = true;
        resolve();
      };
      const subscription = answers.subscribe({
        next: (answer) => {
          answered();
          this.sender.next(answer);
        },
        error: (error: unknown) => {
          if (this.hasAnswered) this.sender.error(error);
          // Of what the instance answers, anything may be an error.
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors
          else reject(error);
        },
        complete: () => {
          answered();
          this.sender.complete();
        },
      });
      this.answers = subscription;
      // An answer may have come, and been all that the sender wanted, before there was a subscription.
      if (this.sender.closed) subscription.unsubscribe();
      const cut = onAbort(attempt, () => {
        if (!this.hasAnswered) subscription.unsubscribe();
      });
      subscription.add(() => {
        cut();
        release();
      });
    });
  }
}
