import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import type { TrueEvent } from '../check/evidence.js';
import type { NemesisNote } from '../history/note.js';
import { Notebook } from '../history/notebook.js';
import { NoteStore } from '../fleet/note-store.js';
import type { ChaosWork } from '../works/work.js';
import type { Stage } from './stage.js';

/** A work of which nothing is wanted, but for what is given. */
export function fakeWork(given: Partial<ChaosWork> = {}): ChaosWork {
  return {
    ...{ name: 'fake', parts: { ours: new URL('file:///nowhere') } },
    check: () => ({ watch: [] }),
    inconclusive: () => [],
    awaited: () => [],
    recoveryBoundMs: () => 1000,
    figures: () => ({ counts: {} }),
    ...given,
  };
}

/** A stage with real notebooks, one process that has started, and nothing else behind it. */
export class FakeStage implements Stage {
  readonly etcdVersion = '3.5.30';
  readonly ttlMs = 2000;
  readonly compactions = [{ revision: 7n, askedAt: 30 }];
  readonly problems: string[] = [];
  readonly lacks = ['There is no disk.'];
  readonly faults = [{ kind: 'kill holder', leastPerMinute: 0 }];
  readonly folder = mkdtempSync(join(tmpdir(), 'fake-stage-'));
  /** In the order in which it was asked for. */
  readonly asked: string[] = [];
  readonly works: readonly ChaosWork[];
  readonly book;
  readonly fleet;
  readonly truth;
  onHarm: (book: Stage['book']) => void = () => undefined;

  private readonly notebooks: readonly Notebook[];

  constructor(
    work: ChaosWork,
    readonly events: readonly TrueEvent[] = [],
    { starts = true } = {},
  ) {
    this.works = [work];
    const store = new NoteStore(this.folder);
    const notebook = new Notebook(store.open('run'), 'run');
    const worker = new Notebook(store.open('0.0'), '0.0');
    if (starts) worker.of('life').note({ type: 'started' });
    this.notebooks = [notebook, worker];
    this.book = notebook.of<NemesisNote>('nemesis');
    this.fleet = {
      ...{ slots: [{ id: '0.0' }], killed: new Set(['1.0']), ends: new Map([['0.0', 0]]) },
      look: () => store.look(),
      notesOf: (of: string) => store.of(of),
      listen: store.listen.bind(store),
      finish: async () => void this.asked.push('finish'),
    };
    this.truth = {
      ...{ events, missed: [] as string[] },
      finalList: async () => {
        this.asked.push('list');
        return events;
      },
    };
  }

  async harm(signal: AbortSignal): Promise<void> {
    this.asked.push('harm');
    this.onHarm(this.book);
    if (!signal.aborted) await once(signal, 'abort');
  }

  async heal(): Promise<void> {
    this.asked.push('heal');
  }

  async stop(): Promise<void> {
    this.asked.push('stop');
    for (const notebook of this.notebooks) notebook.close();
  }
}
