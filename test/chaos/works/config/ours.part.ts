import type { Subscription } from 'rxjs';
import type { ConfigNote } from '../../check/config-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { LimitedService } from './limited-service.js';
import { LIMITS, limitsText } from './limits.js';
import { Publisher } from './publisher.js';

/** Follows a configuration, and publishes it. */
class OursConfig {
  private readonly pace: Pace;
  private readonly book: NoteTaker<ConfigNote>;
  private rejections: Subscription | null = null;

  constructor(private readonly ground: Ground<OursSystem>) {
    this.book = ground.book;
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
  }

  start(): void {
    const { system } = this.ground;
    const service = system.get(LimitedService);
    service.tell(({ value, revision, source }) =>
      this.book.note({
        ...{ type: 'applied', config: LIMITS, source },
        ...{ revision: revision.toString(), value: limitsText(value) },
      }),
    );
    this.rejections = system.configs.rejections$.subscribe(({ revision, error }) =>
      this.book.note({
        ...{ type: 'rejected', config: LIMITS, revision: revision.toString(), code: error.code },
      }),
    );
    this.pace.work('a reader of the configuration', [300, 1000], () => this.read(service));
    const publisher = new Publisher(this.ground);
    this.pace.work('a publisher of the configuration', [3000, 9000], () => publisher.publish());
  }

  async stop(): Promise<void> {
    await this.pace.stop();
    this.rejections?.unsubscribe();
  }

  private read(service: LimitedService): void {
    const value = limitsText(service.limits);
    const status = this.ground.system.configs.status().find(({ key }) => key === LIMITS);
    if (!status?.source) throw new Error('The status does not say where the value comes from.');
    const { revision, source, synced, ageMs } = status;
    this.book.note({
      ...{ type: 'read', config: LIMITS, value, source, synced, ageMs },
      revision: revision.toString(),
    });
  }
}

export const part: OursPart = {
  providers: [LimitedService],
  start: (ground) => {
    const config = new OursConfig(ground);
    config.start();
    return Promise.resolve({ stop: () => config.stop() });
  },
};
