import type { Type } from '@nestjs/common';
import { EtcdClient } from '../../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../../libs/etcd-coordination/src/session/etcd-session.js';
import { LIMITS } from '../../../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { RateLimiter } from '../../../../libs/etcd-coordination/src/traffic/limit/rate-limiter.js';
import { LiveDocuments } from '../../../../libs/etcd-coordination/src/traffic/live-documents.js';
import { WatchHub } from '../../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { machineNow } from '../../../e2e/election/machine-clock.js';
import { LIMIT, type LimitNote, SLOT_MS } from '../../check/limit-notes.js';
import type { Entry } from '../../history/note.js';
import type { NoteTaker } from '../../history/notebook.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { RULE } from './limit-names.js';

const TURN_MS = 20;
/** Of a busy process, and of a quiet one: against the limit of the fleet. */
const BUSY = 1.2;
const QUIET = 0.02;

type Slot = { -readonly [K in keyof Entry<LimitNote>]: Entry<LimitNote>[K] };

/** Is offered calls under a limit of the fleet, many for a while and then few, and notes what goes through. */
class OursLimits {
  private readonly pace: Pace;
  private readonly book: NoteTaker<LimitNote>;
  private readonly limiter: RateLimiter;
  private readonly turning: NodeJS.Timeout;
  private slot: Slot | null = null;
  private load = BUSY;
  private since = machineNow();
  private owed = 0;

  constructor(ground: Ground<OursSystem>) {
    const { system, namespace, process: instanceId, book, random, rate, fault } = ground;
    this.book = book;
    this.pace = new Pace(random, rate, fault);
    const [client, session, watch] = [
      system.get(EtcdClient as unknown as Type<EtcdClient>),
      system.get(EtcdSession),
      system.get(WatchHub),
    ];
    const declared = { [RULE]: { limit: LIMIT, windowMs: 1000, mode: 'fleet' } };
    const rules = new LiveDocuments(system.configs, LIMITS, declared);
    this.limiter = new RateLimiter({ client, session, watch, namespace, instanceId }, rules);
    this.limiter.use(RULE).catch((error: unknown) => fault('the limit', error));
    this.turning = setInterval(() => this.turn(), TURN_MS);
    this.pace.work('how much is offered', [2000, 6000], () => {
      this.load = random.int(0, 2) === 0 ? QUIET : BUSY;
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.turning);
    await this.pace.stop();
    await this.limiter.close();
  }

  private turn(): void {
    const now = machineNow();
    this.owed = Math.min(LIMIT, this.owed + ((now - this.since) / 1000) * this.load * LIMIT);
    this.since = now;
    const { share, borrowed, members, confirmed } = this.limiter.status(RULE);
    const slot = this.slotAt(Math.floor(now / SLOT_MS));
    slot.least = Math.min(slot.least, share);
    slot.most = Math.max(slot.most, share);
    slot.isConfirmed &&= confirmed;
    slot.borrowed = borrowed;
    if (!confirmed) slot.borrowedUnheard = Math.max(slot.borrowedUnheard, borrowed);
    slot.members = members;
    for (; this.owed >= 1; this.owed -= 1) {
      slot.offered += 1;
      if (!this.limiter.check(RULE).allowed) continue;
      if (confirmed) slot.confirmed += 1;
      else slot.unconfirmed += 1;
    }
  }

  private slotAt(slot: number): Slot {
    if (this.slot?.slot === slot) return this.slot;
    if (this.slot) this.book.note(this.slot);
    this.slot = {
      ...{ type: 'slot', slot, offered: 0, confirmed: 0, unconfirmed: 0 },
      ...{
        least: Infinity,
        most: 0,
        borrowed: 0,
        borrowedUnheard: 0,
        members: 0,
        isConfirmed: true,
      },
    };
    return this.slot;
  }
}

export const part: OursPart = {
  start: (ground) => {
    const limits = new OursLimits(ground);
    return Promise.resolve({ stop: () => limits.stop() });
  },
};
