import type { MonotonicClock } from '../../client/clock.js';
import { failed, readAnswer, readFailure, type CheckOutcome } from './check-answer.js';

/**
 * Says whether this instance is well: `true`, or nothing, for well; `false`, or an error that it throws,
 * for not; or what Terminus' `health.check()` and health indicators answer, which may also be `degraded`,
 * and that is well. Anything else counts as not well.
 */
export type HealthCheck = () => unknown;

/**
 * One health check. It never runs twice at a time: one that hangs has failed until it settles.
 */
export class CheckRunner {
  private running: Promise<CheckOutcome> | null = null;
  private startedAt = 0;

  constructor(
    readonly name: string,
    private readonly check: HealthCheck,
    private readonly clock: MonotonicClock,
  ) {}

  /**
   * Asks the check. One that is under way is given until `timeoutMs` after it began, by whomever: each
   * who asks has their own patience. Never rejects.
   */
  async run(timeoutMs: number): Promise<CheckOutcome> {
    const running = (this.running ??= this.start());
    const leftMs = timeoutMs - (this.clock.now() - this.startedAt);
    // What it says when it comes back at last is old.
    if (leftMs <= 0) return this.late();
    let cancelTimer: () => void = () => undefined;
    const late = new Promise<null>((resolve) => {
      cancelTimer = this.clock.setTimer(() => resolve(null), leftMs, { unref: true });
    });
    const outcome = await Promise.race([running, late]);
    cancelTimer();
    return outcome ?? this.late();
  }

  private start(): Promise<CheckOutcome> {
    this.startedAt = this.clock.now();
    return ask(this.check).finally(() => {
      this.running = null;
    });
  }

  private late(): CheckOutcome {
    return failed(`has not answered for ${Math.round(this.clock.now() - this.startedAt)} ms`);
  }
}

async function ask(check: HealthCheck): Promise<CheckOutcome> {
  try {
    const answer = await check();
    return readAnswer(answer);
  } catch (error) {
    return readThrown(error);
  }
}

/** What was thrown may throw in turn when it is looked at. */
function readThrown(error: unknown): CheckOutcome {
  try {
    return readFailure(error);
  } catch {
    return failed('failed with something that cannot be read');
  }
}
