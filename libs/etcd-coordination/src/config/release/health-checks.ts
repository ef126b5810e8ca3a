import { systemClock, type MonotonicClock } from '../../client/clock.js';
import { InvalidHealthCheckError } from './release.errors.js';

/** Says whether this instance is well: `true`, or `false`, or why it is not. */
export type HealthCheck = () => boolean | string | Promise<boolean | string>;

/** Whether an instance is well, and why if it is not. */
export interface Health {
  readonly healthy: boolean;
  readonly reason: string | null;
}

/** How long a check may take, in milliseconds. */
export const CHECK_TIMEOUT_MS = 3000;

const WELL: Health = { healthy: true, reason: null };

/** The checks by which an instance says whether it is well. Without one, it is. */
export class HealthChecks {
  private readonly checks = new Map<string, HealthCheck>();
  /** Those that have not answered yet; a check that hangs is not started a second time. */
  private readonly running = new Map<HealthCheck, Promise<Health>>();

  constructor(
    private readonly timeoutMs = CHECK_TIMEOUT_MS,
    private readonly clock: MonotonicClock = systemClock,
  ) {}

  /**
   * Adds a check. Returns what removes it.
   *
   * @throws {InvalidHealthCheckError} if the name is taken or empty, or the check is no function
   */
  add(name: string, check: HealthCheck): () => void {
    const [named, called]: unknown[] = [name, check];
    if (typeof named !== 'string' || named === '') {
      throw new InvalidHealthCheckError('has no name');
    }
    if (typeof called !== 'function') {
      throw new InvalidHealthCheckError(`${JSON.stringify(name)} is no function`);
    }
    if (this.checks.has(name)) {
      throw new InvalidHealthCheckError(`called ${JSON.stringify(name)} is there already`);
    }
    this.checks.set(name, check);
    return () => {
      if (this.checks.get(name) === check) this.checks.delete(name);
    };
  }

  /** Asks every check. One that throws, rejects or does not answer in time is unhealthy. Never rejects. */
  async ask(): Promise<Health> {
    const answers = [...this.checks].map(([name, check]) => this.one(name, check));
    const found = await Promise.all(answers);
    return found.find(({ healthy }) => !healthy) ?? WELL;
  }

  private async one(name: string, check: HealthCheck): Promise<Health> {
    let cancelTimer: () => void = () => undefined;
    const late = new Promise<Health>((resolve) => {
      cancelTimer = this.clock.setTimer(
        () => resolve(unwell(name, `has not answered within ${this.timeoutMs} ms`)),
        this.timeoutMs,
        { unref: true },
      );
    });
    const health = await Promise.race([this.running.get(check) ?? this.run(name, check), late]);
    cancelTimer();
    return health;
  }

  private run(name: string, check: HealthCheck): Promise<Health> {
    const answer = judged(name, check).finally(() => this.running.delete(check));
    this.running.set(check, answer);
    return answer;
  }
}

async function judged(name: string, check: HealthCheck): Promise<Health> {
  try {
    const answer: unknown = await check();
    if (answer === true) return WELL;
    if (answer === false) return unwell(name, 'says no');
    if (typeof answer === 'string') return unwell(name, `says: ${answer}`);
    return unwell(name, `answered neither true, nor false, nor a reason`);
  } catch (error) {
    return unwell(name, `failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function unwell(name: string, what: string): Health {
  return { healthy: false, reason: `the health check "${name}" ${what}` };
}
