import { Logger } from '@nestjs/common';
import type { MonotonicClock } from '../client/clock.js';
import type {
  ReleaseCandidacy,
  ReleaseLeadership,
  ReleaseTerm,
} from '../config/release/release-leadership.js';
import { CandidacyEndedError } from '../election/candidacy-ended.error.js';
import type { ElectionService } from '../election/election.service.js';
import type { LeaderTerm } from '../election/leader-term.js';
import { runInTerm } from '../election/run-in-term.js';
import { settledWithin } from '../client/settled-within.js';

/** How long the control of a release may go on after it was asked to end. Each of its writes is fenced. */
const END_BUDGET_MS = 2000;

type Run = (term: ReleaseTerm) => Promise<void>;

/** Elects who controls a release. Features do not know each other, so the module joins the two. */
export class ElectedReleases implements ReleaseLeadership {
  private readonly logger = new Logger('ConfigReleases');

  constructor(
    private readonly elections: Pick<ElectionService, 'join' | 'leave' | 'term$'>,
    private readonly clock: MonotonicClock,
  ) {}

  lead(name: string, run: Run): ReleaseCandidacy {
    const stopping = new AbortController();
    const running = new Set<Promise<void>>();
    const terms = this.elections.term$(name).subscribe((term) => {
      if (!term?.isValid() || stopping.signal.aborted) return;
      const reign = this.reign(name, term, stopping.signal, run);
      running.add(reign);
      void reign.finally(() => running.delete(reign));
    });
    this.elections.join(name).catch((error: unknown) => {
      // It was left before it stood: nobody misses anything.
      if (stopping.signal.aborted || error instanceof CandidacyEndedError) return;
      this.logger.error(
        `This instance does not stand in the election "${name}", and cannot control its release: ${String(error)}`,
      );
    });
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      stopping.abort();
      terms.unsubscribe();
      await settledWithin(this.clock, Promise.all(running), END_BUDGET_MS);
      await this.elections.leave(name).catch((error: unknown) => {
        this.logger.warn(`The election "${name}" could not be left: ${String(error)}`);
      });
    };
    return { stop: () => (stopped ??= stop()) };
  }

  /** One term, from its beginning to its end. Never rejects. */
  private async reign(
    name: string,
    term: LeaderTerm,
    stopping: AbortSignal,
    run: Run,
  ): Promise<void> {
    const signal = AbortSignal.any([term.signal, stopping]);
    try {
      await runInTerm(term, () => run({ fence: term.fence, signal }));
    } catch (error) {
      this.logger.error(
        `The control of a release, elected by "${name}" with epoch ${term.epoch}, failed; another instance may try.`,
        error instanceof Error ? error.stack : error,
      );
    }
    // Whoever leads and does nothing would keep the others from it.
    if (!signal.aborted) await term.resign();
  }
}
