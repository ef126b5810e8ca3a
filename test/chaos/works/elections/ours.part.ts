import type { Subscription } from 'rxjs';
import type { LeaderTerm } from '../../../../libs/etcd-coordination/src/election/leader-term.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import { OursOwned } from '../../systems/ours/ours-owned.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import type { NoteTaker } from '../../history/notebook.js';
import { Owner } from '../owned/owner.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { CHANGING, electionOf, STANDING } from './election-names.js';
import type { ObserverNote } from './notes.js';
import { StandingCandidate } from './standing-candidate.js';
import { leadFor } from './term-work.js';

/** Stands in one election as a decorated class does, and in another by calls that come and go. */
class OursElections {
  private readonly owner: Owner;
  private readonly pace: Pace;
  private readonly subscriptions: Subscription[] = [];
  private readonly leading = new Set<Promise<void>>();

  constructor(private readonly ground: Ground<OursSystem>) {
    this.owner = new Owner(ground);
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    const { system } = this.ground;
    for (const election of [STANDING, CHANGING]) this.observe(election);
    system.get(StandingCandidate).does((term) => this.lead(STANDING, term, '@OnElected'));
    this.subscriptions.push(
      system.elections.term$(CHANGING).subscribe((term) => {
        if (!term || this.isCampaigning) return;
        const led = this.lead(CHANGING, term, 'join').catch((error: unknown) =>
          this.ground.fault('a term', error),
        );
        this.leading.add(led);
        void led.finally(() => this.leading.delete(led));
      }),
    );
    this.pace.work('a candidate that comes and goes', [200, 1500], () => this.stand());
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    await Promise.all(this.leading);
    await this.owner.settled();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** The term of a campaign is shown to those who follow all terms too, but is the campaigner's to work under. */
  private isCampaigning = false;

  private async stand(): Promise<void> {
    const { random } = this.ground;
    this.isCampaigning = random.chance(0.4);
    try {
      await (this.isCampaigning ? this.campaign() : this.joinAndLeave());
    } catch (error) {
      const code = oursCode(error);
      if (code === null) return this.ground.fault('a candidacy', error);
      this.owner.book.note({ type: 'without', of: electionOf(CHANGING), code });
    }
  }

  private async campaign(): Promise<void> {
    const { random, system } = this.ground;
    const patience = AbortSignal.any([
      this.pace.signal,
      AbortSignal.timeout(random.int(2_000, 20_000)),
    ]);
    const term = await system.elections.campaign(CHANGING, { signal: patience });
    await this.lead(CHANGING, term, 'campaign');
    await term.resign();
  }

  private async joinAndLeave(): Promise<void> {
    const { random, system, process } = this.ground;
    await system.elections.join(CHANGING, { value: `at ${process}` });
    await this.pace.wait(random.int(3_000, 15_000));
    await system.elections.leave(CHANGING);
  }

  private async lead(election: string, term: LeaderTerm, how: string): Promise<void> {
    const { random, system, namespace } = this.ground;
    const owned = new OursOwned(system, namespace, electionOf(election), term.epoch, term);
    const ms = random.int(500, 5_000);
    if (await leadFor(this.owner, this.pace, { owned, how, ms })) await term.resign();
  }

  private observe(election: string): void {
    const book: NoteTaker<ObserverNote> = this.ground.book;
    const subscription = this.ground.system.elections.observe(election).subscribe({
      next: (leadership) =>
        book.note({
          type: 'observed',
          of: electionOf(election),
          leader: leadership?.leaderId ?? null,
          token: leadership?.epoch.toString() ?? '',
        }),
      error: (error: unknown) => this.ground.fault(`the observer of ${election}`, error),
    });
    this.subscriptions.push(subscription);
  }
}

export const part: OursPart = {
  providers: [StandingCandidate],
  start: (ground) => {
    const elections = new OursElections(ground);
    elections.start();
    return Promise.resolve({ stop: () => elections.stop() });
  },
};
