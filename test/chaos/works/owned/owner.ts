import type { OwnershipNote, WriteGuard } from '../../check/ownership.js';
import type { Ground } from '../work.js';
import type { NoteTaker } from '../../history/notebook.js';
import type { SeededRandom } from '../../../support/seeded-random.js';
import { type Owned, writtenKey } from './owned.js';
import { OwnedSpan } from './owned-span.js';

const LOOK_EVERY_MS = 4;

/** Watches all that its process owns in one work, and counts what it writes. */
export class Owner {
  readonly book: NoteTaker<OwnershipNote>;
  readonly random: SeededRandom;
  private readonly spans = new Set<OwnedSpan>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly process: string;
  private looking: NodeJS.Timeout | null = null;
  private writes = 0;

  constructor({ process, book, random }: Ground<never> | Ground) {
    this.process = process;
    this.book = book;
    this.random = random;
  }

  /** It was granted just now. To be ended with {@link OwnedSpan.release}. */
  granted(owned: Owned, how: string): OwnedSpan {
    const span = new OwnedSpan(this, owned, how);
    this.spans.add(span);
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    return span;
  }

  /** Looks at all of them now. */
  look(): void {
    for (const span of this.spans) span.look();
  }

  /** @internal */
  over(span: OwnedSpan): void {
    this.spans.delete(span);
    if (this.spans.size > 0 || !this.looking) return;
    clearInterval(this.looking);
    this.looking = null;
  }

  /** Sends a guarded write and notes what comes of it. Never rejects. @internal */
  write(owned: Owned, guard: WriteGuard, late: boolean): Promise<void> {
    const write = `${this.process}-${(this.writes += 1)}`;
    const { of, token } = owned;
    this.book.note({ type: 'sent', of, token, write, guard, late, valid: owned.isValid() });
    const answered = (outcome: 'accepted' | 'refused' | 'unknown', code: string) =>
      this.book.note({ type: 'answered', of, token, write, outcome, code });
    const settled = owned.write(guard, writtenKey(of, write)).then(
      (accepted) => answered(accepted ? 'accepted' : 'refused', ''),
      (error: unknown) => answered(owned.refuses(error) ? 'refused' : 'unknown', codeOf(error)),
    );
    this.underWay.add(settled);
    return settled.finally(() => this.underWay.delete(settled));
  }

  /** Resolves when every write has been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }
}

/** What an error is known by: its code, or its class where it has none. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.constructor.name : String(error);
}
