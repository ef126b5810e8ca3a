import { machineNow } from '../../../e2e/election/machine-clock.js';
import type { WriteGuard } from '../../check/ownership.js';
import type { Owned } from './owned.js';
import type { Owner } from './owner.js';

/** So long without a look is a freeze, not a busy machine. */
const FROZEN_MS = 1000;
/** Being valid goes without saying for so long; the last moment of it never does. */
const VALID_EVERY_MS = 25;

/** Whoever gives it up stands in etcd for a moment longer, and may write until it is gone there: nobody else can. */
export const GIVEN_UP = ['left', 'resigned', 'shutdown'];

/** One grant, watched from its first moment to its last. */
export class OwnedSpan {
  lost = false;
  private lastLook = machineNow();
  private lastValid: number | null = null;
  private validNotedAt = -Infinity;
  private released = false;

  constructor(
    private readonly owner: Owner,
    readonly owned: Owned,
    how: string,
  ) {
    const shared = owned.shared ? ({ shared: true } as const) : {};
    owner.book.note({ type: 'granted', ...this.grant, how, ...shared });
    this.look();
  }

  /** Asks whether it stands, as a user of it would at any moment. */
  look(): void {
    if (this.released) return;
    const { owned, owner, grant } = this;
    const before = machineNow();
    const gapMs = before - this.lastLook;
    this.lastLook = before;
    if (gapMs > FROZEN_MS) this.woke(gapMs, before);
    const valid = owned.isValid();
    const at = machineNow();
    if (valid && owned.isValid()) return this.wasValid(at);
    if (this.lost) return;
    this.lost = true;
    this.noteLastValid();
    const reason = owned.lossReason();
    owner.book.note({ type: 'lost', ...grant, reason });
    if (gapMs <= FROZEN_MS && !GIVEN_UP.includes(reason)) this.writeLate();
  }

  /** Writes while it is owned, as far as is known. */
  write(guard: WriteGuard): Promise<void> {
    return this.owner.write(this.owned, guard, false);
  }

  /** It is about to be given back, or its work to end: to be called right before. */
  release(): void {
    if (this.released) return;
    this.look();
    this.noteLastValid();
    this.released = true;
    this.owner.over(this);
    this.owner.book.note({ type: 'released', ...this.grant });
  }

  private get grant(): { readonly of: string; readonly token: string } {
    return { of: this.owned.of, token: this.owned.token };
  }

  private woke(gapMs: number, at: number): void {
    const { owned, owner, grant } = this;
    // Whichever is asked first has to know by itself.
    const signalFirst = owner.random.chance(0.5);
    const first = signalFirst && owned.isAborted();
    const valid = owned.isValid();
    const aborted = signalFirst ? first : owned.isAborted();
    const validAfter = owned.isValid();
    this.noteLastValid();
    const seen = { valid, aborted, validAfter, signalFirst };
    owner.book.note({ type: 'woke', ...grant, gapMs, ...seen }, at);
    this.writeLate();
  }

  private wasValid(at: number): void {
    this.lastValid = at;
    if (at - this.validNotedAt >= VALID_EVERY_MS) this.noteLastValid();
  }

  private noteLastValid(): void {
    if (this.lastValid === null || this.lastValid === this.validNotedAt) return;
    this.validNotedAt = this.lastValid;
    this.owner.book.note({ type: 'valid', ...this.grant }, this.lastValid);
  }

  /** As one that does not know, or does not mind, that it is too late. */
  private writeLate(): void {
    for (const guard of this.owned.guards) void this.owner.write(this.owned, guard, true);
  }
}
