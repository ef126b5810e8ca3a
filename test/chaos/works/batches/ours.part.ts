import { WriteBatcher } from '../../../../libs/etcd-coordination/src/transaction/write-batcher.js';
import { type BatchNote, batchedValue } from '../../check/batch-notes.js';
import { BATCHED } from '../../check/batch-writes.js';
import type { NoteTaker } from '../../history/notebook.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import { Pace } from '../pace.js';
import type { Ground } from '../work.js';

const KEYS = 6;
/** No lease has this id: what is put on it is refused, and what goes with it is not to be. */
const NO_SUCH_LEASE = '4711';

/** Writes some keys at a time, of which some are the same, and reads what stands. */
class OursBatches {
  private readonly pace: Pace;
  private readonly book: NoteTaker<BatchNote>;
  private readonly batcher: WriteBatcher;
  private writes = 0;
  private reads = 0;

  constructor(private readonly ground: Ground<OursSystem>) {
    const { system, book, random, rate, fault } = ground;
    this.book = book;
    this.batcher = system.get(WriteBatcher);
    this.pace = new Pace(random, rate, fault);
    // Two, so that writes of one key are asked for while others of it are under way.
    this.pace.work('a batch of writes', [300, 1000], () => this.writeSome());
    this.pace.work('another batch of writes', [300, 1000], () => this.writeSome());
    this.pace.work('some reads', [300, 1000], () => this.readSome());
  }

  stop(): Promise<void> {
    return this.pace.stop();
  }

  private async writeSome(): Promise<void> {
    const count = this.ground.random.int(2, 6);
    await Promise.all(Array.from({ length: count }, () => this.write()));
  }

  private async write(): Promise<void> {
    const { random, process } = this.ground;
    const [write, key] = [(this.writes += 1), this.someKey()];
    const lease = random.chance(0.04) ? { lease: NO_SUCH_LEASE } : undefined;
    this.book.note({ type: 'writing', write, key });
    try {
      const { revision } = await this.batcher.put(key, batchedValue(process, write), lease);
      this.book.note({ type: 'written', write, revision: `${revision}` });
    } catch (error) {
      const code = this.codeOf('a batched write', error);
      const outcome = code === 'WRITE_OUTCOME_UNKNOWN' ? 'unknown' : 'refused';
      this.book.note({ type: 'failed', write, outcome, code });
    }
  }

  private async readSome(): Promise<void> {
    await Promise.all(Array.from({ length: 3 }, () => this.read()));
  }

  private async read(): Promise<void> {
    const [read, key] = [(this.reads += 1), this.someKey()];
    this.book.note({ type: 'reading', read, key });
    try {
      const value = await this.batcher.get(key);
      this.book.note({ type: 'read', read, value: value?.text() ?? null });
    } catch (error) {
      this.book.note({ type: 'unread', read, code: this.codeOf('a merged read', error) });
    }
  }

  private someKey(): string {
    const { process, random } = this.ground;
    return `${BATCHED}${process}/${random.int(1, KEYS)}`;
  }

  private codeOf(what: string, error: unknown): string {
    const code = oursCode(error);
    if (code === null) this.ground.fault(what, error);
    return code ?? 'none';
  }
}

export const part: OursPart = {
  start: (ground) => Promise.resolve(new OursBatches(ground)),
};
