import { expect, it, onTestFinished, vi } from 'vitest';
import type { Note } from '../history/note.js';
import { Progress } from './progress.js';

it('says every few seconds how far a run is', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const said: string[] = [];
  let listener: (note: Note) => void = () => undefined;
  const fleet = { listen: (to: typeof listener) => void (listener = to), look: () => [] };
  const options = { line: '3.5', system: 'ours', seconds: 60, seed: 1 } as const;
  const progress = new Progress(options, { fleet: fleet as never }, (line) => void said.push(line));
  const take = (work: string, note: object) =>
    listener({ t: 0, process: '0.0', work, ...note } as Note);

  take('nemesis', { type: 'fault-begun', kind: 'kill holder' });
  take('nemesis', { type: 'fault-over', hit: true });
  take('locks', { type: 'granted' });
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual([
    expect.stringMatching(
      /s of 60 s, latest: kill holder; 1 faults, 1 hit; 3 notes, 1 acquisitions$/,
    ),
  ]);
  take('life', { type: 'fault' });
  take('nemesis', { type: 'healed' });
  vi.advanceTimersByTime(5_000);
  expect(said[1]).toMatch(/healed, waiting .*, 1 ERRORS$/);
  progress[Symbol.dispose]();
  vi.advanceTimersByTime(60_000);
  expect(said).toHaveLength(2);
});
