import { configLayerKey } from '../../../../libs/etcd-coordination/src/client/keys.js';
import type { ConfigHistoryEntry } from '../../../../libs/etcd-coordination/src/config/config-publisher.js';
import type { ConfigNote } from '../../check/config-notes.js';
import type { NoteTaker } from '../../history/notebook.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import type { OursSystem } from '../../systems/ours/ours-system.js';
import { codeOf } from '../owned/owner.js';
import type { Ground } from '../work.js';
import { LIMITS, limitsText } from './limits.js';

type Via = (ConfigNote & { readonly type: 'publishing' })['via'];

/** Publishes what is valid and what is not, through the store and past it. */
export class Publisher {
  private readonly book: NoteTaker<ConfigNote>;
  private attempts = 0;

  constructor(private readonly ground: Ground<OursSystem>) {
    this.book = ground.book;
  }

  async publish(): Promise<void> {
    const choice = this.ground.random.next();
    if (choice < 0.35) return this.set({});
    if (choice < 0.5) return this.setIfUnchanged();
    if (choice < 0.6) return this.rollback();
    if (choice < 0.7) return this.set({ perMinute: -1 });
    if (choice < 0.8) return this.put({ valid: true, perMinute: 9 });
    return this.put({ valid: false, perMinute: -1 });
  }

  private async set({
    perMinute = this.ground.random.int(1, 1000),
    expectedRevision,
  }: {
    readonly perMinute?: number;
    readonly expectedRevision?: bigint;
  }): Promise<void> {
    const limits = { attempt: this.nextAttempt(), perMinute };
    const options = expectedRevision === undefined ? {} : { expectedRevision };
    await this.noted('store', limits.attempt, limitsText(limits), perMinute > 0, async () => {
      return (await this.ground.system.configs.set(LIMITS, limits, options)).revision;
    });
  }

  /** Somebody may come between: then it is to be refused. */
  private async setIfUnchanged(): Promise<void> {
    const entry = await this.ground.system.configs.get(LIMITS).catch(() => null);
    // What stands may be rubbish, or etcd away.
    if (entry) await this.set({ expectedRevision: entry.revision });
  }

  /** As an operator does with etcdctl, at times with rubbish. */
  private async put({
    valid,
    perMinute,
  }: {
    readonly valid: boolean;
    readonly perMinute: number;
  }): Promise<void> {
    const { random, system, namespace } = this.ground;
    const attempt = this.nextAttempt();
    const isText = !valid && random.chance(0.5);
    const document = isText ? `rubbish ${attempt}` : limitsText({ attempt, perMinute });
    await this.noted('raw', attempt, document, valid, async () => {
      const put = system.etcd.put(configLayerKey(namespace, LIMITS, ['shared'])).value(document);
      return BigInt((await put.exec()).header.revision);
    });
  }

  /** Brings back what was published before: the attempt that its value shows is that one's. */
  private async rollback(): Promise<void> {
    const { random, system } = this.ground;
    const earlier = await this.earlier();
    const version = earlier[random.int(0, earlier.length - 1)];
    const { document, sequence } = version ?? { document: null, sequence: 0 };
    if (document === null) return;
    // What was written past the library may be rubbish: the author says that it was not.
    await this.noted('rollback', this.nextAttempt(), document, true, async () => {
      return (await system.configs.rollback(LIMITS, { to: sequence })).revision;
    });
  }

  /** What the library wrote of late and does not stand any more; nothing if etcd is away. */
  private async earlier(): Promise<readonly ConfigHistoryEntry[]> {
    try {
      const versions = await this.ground.system.configs.history(LIMITS, { limit: 10 });
      return versions.filter(({ author, current }) => author !== null && !current);
    } catch (error) {
      if (oursCode(error) === null) this.ground.fault('the history', error);
      return [];
    }
  }

  private async noted(
    via: Via,
    attempt: string,
    value: string,
    valid: boolean,
    write: () => Promise<bigint>,
  ): Promise<void> {
    this.book.note({ type: 'publishing', config: LIMITS, attempt, value, valid, via });
    const note = (outcome: 'accepted' | 'refused' | 'unknown', revision: string, code: string) =>
      this.book.note({ type: 'published', config: LIMITS, attempt, outcome, revision, code });
    try {
      note('accepted', (await write()).toString(), '');
    } catch (error) {
      const code = codeOf(error);
      if (oursCode(error) === null) this.ground.fault('a publication', error);
      note(code === 'WRITE_OUTCOME_UNKNOWN' ? 'unknown' : 'refused', '', code);
    }
  }

  private nextAttempt(): string {
    return `${this.ground.process}/${(this.attempts += 1)}`;
  }
}
