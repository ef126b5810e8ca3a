import { setTimeout as pause } from 'node:timers/promises';
import type { LockHandle } from '../../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { WriteGuard } from '../../support/lock-history.js';
import type { SeededRandom } from '../../support/seeded-random.js';
import { machineNow } from '../election/machine-clock.js';
import type { LockNotebook } from './lock-notebook.js';
import type { LockerInstance } from './locker-instance.js';

const LOOK_EVERY_MS = 3;
/** So long without a look is a freeze, not a busy machine. */
const FROZEN_MS = 1000;

/** What all turns of a process share. */
export interface Desk {
  readonly instance: LockerInstance;
  readonly book: LockNotebook;
  readonly random: SeededRandom;
  /** Writes without an answer so far, none of which ever rejects. */
  readonly underWay: Set<Promise<void>>;
  nextWrite(): string;
}

/** One grant, used and watched from its first moment to its last. */
export class LockTurn {
  private readonly token: string;
  private lastLook = machineNow();
  private lost = false;

  constructor(
    private readonly desk: Desk,
    private readonly lock: LockHandle,
    how: string,
  ) {
    this.token = lock.token.toString();
    desk.book.note({ type: 'granted', token: this.token, how });
  }

  /** Works under the lock for a while; the caller gives it back at once afterwards. */
  async work(): Promise<void> {
    const { random, book } = this.desk;
    this.look();
    const looking = setInterval(() => this.look(), LOOK_EVERY_MS);
    try {
      // A fence whose key was read is no longer passed on behind that key: both kinds of turns are wanted.
      const guard = random.chance(0.7) ? 'fenced' : 'raw';
      const first = this.write(guard, false);
      if (random.chance(0.7)) await first;
      const until = machineNow() + this.span();
      while (machineNow() < until && !this.lost) await pause(random.int(1, 5));
      // Nobody waits for some of these: they are on the way when the lock is given back.
      const last = random.chance(0.5) ? this.write(guard, false) : null;
      if (random.chance(0.5)) await last;
      this.look();
    } finally {
      clearInterval(looking);
      book.note({ type: 'released', token: this.token });
    }
  }

  /** Most turns are short; some last, so that a fault finds a holder. */
  private span(): number {
    const { random } = this.desk;
    if (random.chance(0.03)) return random.int(200, 500);
    return random.chance(0.3) ? random.int(10, 60) : random.int(0, 10);
  }

  private look(): void {
    const { lock, token } = this;
    const before = machineNow();
    const gapMs = before - this.lastLook;
    this.lastLook = before;
    if (gapMs > FROZEN_MS) {
      const valid = lock.isValid();
      const { aborted } = lock.signal;
      const validAfter = lock.isValid();
      this.desk.book.note({ type: 'woke', token, gapMs, valid, aborted, validAfter }, before);
      this.writeLate();
    }
    const valid = lock.isValid();
    const at = machineNow();
    if (valid && lock.isValid()) {
      this.desk.book.note({ type: 'valid', token }, at);
    } else if (!this.lost) {
      this.lost = true;
      const reason = String((lock.signal.reason as { reason?: unknown } | undefined)?.reason);
      this.desk.book.note({ type: 'lost', token, reason });
      if (gapMs <= FROZEN_MS) this.writeLate();
    }
  }

  /** As one that does not know, or does not mind, that it is too late. */
  private writeLate(): void {
    void this.write('raw', true);
    void this.write('fenced', true);
  }

  private write(guard: WriteGuard, late: boolean): Promise<void> {
    const { desk, lock, token } = this;
    const write = desk.nextWrite();
    desk.book.note({ type: 'sent', token, write, guard, late, valid: lock.isValid() });
    const answered = desk.instance.write(guard, lock.fence, write).then(
      (accepted) => this.answered(write, accepted ? 'accepted' : 'refused', ''),
      (error: unknown) => {
        const code = String((error as { code?: unknown }).code);
        this.answered(write, code === 'STALE_FENCE' ? 'refused' : 'unknown', code);
      },
    );
    desk.underWay.add(answered);
    return answered.finally(() => desk.underWay.delete(answered));
  }

  private answered(write: string, outcome: 'accepted' | 'refused' | 'unknown', code: string): void {
    this.desk.book.note({ type: 'answered', token: this.token, write, outcome, code });
  }
}
