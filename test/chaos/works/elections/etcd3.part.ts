import type { Campaign, Election, ElectionObserver } from 'etcd3';
import { Etcd3Owned } from '../../systems/etcd3/etcd3-owned.js';
import type { Etcd3Part, Etcd3System } from '../../systems/etcd3/etcd3-system.js';
import type { NoteTaker } from '../../history/notebook.js';
import { codeOf, Owner } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { CHANGING, electionOf, STANDING } from './election-names.js';
import type { ObserverNote } from './notes.js';
import { leadFor } from './term-work.js';

/** etcd3's election as its documentation shows it: another campaign after each error and each resignation. */
class Etcd3Elections {
  private readonly owner: Owner;
  private readonly pace: Pace;
  private readonly campaigns = new Set<Campaign>();
  private readonly observers: ElectionObserver[] = [];

  constructor(private readonly ground: Ground<Etcd3System>) {
    this.owner = new Owner(ground);
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    const { system } = this.ground;
    for (const name of [STANDING, CHANGING]) {
      const election = system.keys.election(name, system.ttlSeconds);
      this.pace.work(`a candidate in ${name}`, [200, 1500], () => this.stand(name, election));
      this.pace.work(`an observer of ${name}`, [500, 1000], () => this.observe(name, election));
    }
  }

  async stop(): Promise<void> {
    const stopped = this.pace.stop();
    // Who waits is never told that it has resigned, and the observers end nothing by themselves.
    await Promise.all([
      ...[...this.campaigns].map((campaign) => campaign.resign().catch(() => undefined)),
      ...this.observers.map((observer) => observer.cancel().catch(() => undefined)),
    ]);
    await stopped;
    await this.owner.settled();
  }

  private async stand(name: string, election: Election): Promise<void> {
    const of = electionOf(name);
    const campaign = election.campaign(this.ground.system.instanceId);
    this.campaigns.add(campaign);
    let owned: Etcd3Owned | null = null;
    try {
      await new Promise<void>((resolve, reject) => {
        campaign.on('error', (error) => {
          owned?.isLost('error');
          reject(error);
        });
        this.pace.signal.addEventListener('abort', () => resolve(), { once: true });
        campaign.on('elected', () => {
          const token = revisionOf(campaign);
          // It may be elected after it resigned; nobody listens to it any more then.
          if (token === null) return resolve();
          owned = new Etcd3Owned(this.ground.system, of, token);
          const ms = this.ground.random.int(500, 5_000);
          leadFor(this.owner, this.pace, { owned, how: 'campaign', ms }).then(
            () => resolve(),
            reject,
          );
        });
      });
      await campaign.resign();
    } catch (error) {
      this.owner.book.note({ type: 'without', of, code: codeOf(error) });
    } finally {
      this.campaigns.delete(campaign);
    }
  }

  /** Until it fails, or is stopped. */
  private async observe(name: string, election: Election): Promise<void> {
    const book: NoteTaker<ObserverNote> = this.ground.book;
    const note = (leader: string | undefined) =>
      book.note({ type: 'observed', of: electionOf(name), leader: leader ?? null, token: '' });
    const observer = await election.observe().catch(() => null);
    if (!observer) return;
    this.observers.push(observer);
    note(observer.leader());
    observer.on('change', note);
    await new Promise<void>((resolve) => {
      observer.on('error', () => resolve());
      this.pace.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

/** The create revision of the campaign's key, which it keeps to itself: for the notes alone. */
function revisionOf(campaign: Campaign): string | null {
  const { keyRevision } = campaign as unknown as { readonly keyRevision?: unknown };
  const isRevision = typeof keyRevision === 'string' || typeof keyRevision === 'number';
  return isRevision ? String(keyRevision) : null;
}

export const part: Etcd3Part = {
  start: (ground) => {
    const elections = new Etcd3Elections(ground);
    elections.start();
    return Promise.resolve({ stop: () => elections.stop() });
  },
};
