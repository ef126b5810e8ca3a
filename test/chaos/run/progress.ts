import { machineNow } from '../../e2e/election/machine-clock.js';
import type { Note, NemesisNote } from '../history/note.js';
import type { RunOptions } from './run-options.js';
import type { Stage } from './stage.js';

const EVERY_MS = 5_000;

/** Says every few seconds how far a run is. */
export class Progress implements Disposable {
  private readonly from = machineNow();
  private readonly timer: NodeJS.Timeout;
  private readonly counts = { notes: 0, granted: 0, begun: 0, hit: 0, errors: 0 };
  private latest = '';
  private healed = false;

  constructor(
    private readonly options: RunOptions,
    private readonly stage: Pick<Stage, 'fleet'>,
    private readonly say: (line: string) => void,
  ) {
    stage.fleet.listen((note) => this.take(note));
    this.timer = setInterval(() => this.tell(), EVERY_MS);
    this.timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private take(note: Note): void {
    this.counts.notes += 1;
    if (note.work === 'nemesis') this.takeFault(note as NemesisNote);
    else if (note.type === 'granted') this.counts.granted += 1;
    else if (note.type === 'fault') this.counts.errors += 1;
  }

  private takeFault(note: NemesisNote): void {
    if (note.type === 'healed') this.healed = true;
    else if (note.type === 'fault-begun') {
      this.counts.begun += 1;
      this.latest = note.kind;
    } else if (note.type === 'fault-over' && note.hit) this.counts.hit += 1;
  }

  private tell(): void {
    this.stage.fleet.look();
    const { notes, granted, begun, hit, errors } = this.counts;
    const seconds = Math.round((machineNow() - this.from) / 1000);
    const phase = this.healed
      ? 'healed, waiting for all to be right again'
      : `of ${this.options.seconds} s, latest: ${this.latest || 'none yet'}`;
    const faults = `${begun} faults, ${hit} hit`;
    const wrong = errors > 0 ? `, ${errors} ERRORS` : '';
    this.say(
      `  ${seconds} s ${phase}; ${faults}; ${notes.toLocaleString('en')} notes, ${granted.toLocaleString('en')} acquisitions${wrong}`,
    );
  }
}
