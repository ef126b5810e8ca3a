import { describe, expect, it } from 'vitest';
import { encodeReleaseRecord, type ReleaseRecord, type ReleaseState } from './release-record.js';
import {
  hasTransition,
  nextRelease,
  startRelease,
  type ReleaseEvent,
  type ReleaseEventType,
} from './release-transitions.js';

const at = new Date('2026-01-02T03:04:05Z');
const stamp = (id: string) => ({ id, by: 'ann', at });

function record(changes: Partial<ReleaseRecord> = {}): ReleaseRecord {
  const start = {
    ...({ id: 'r1', layer: 'shared', format: 'json', base: '7', author: 'ann' } as const),
    reason: 'cheaper',
    sha256: '0'.repeat(64),
    plan: { steps: [50, 100], labels: null, observeMs: 0, applyTimeoutMs: 1 },
  };
  return { ...startRelease(start, stamp('t0')), ...changes };
}

function event(type: ReleaseEventType): ReleaseEvent {
  if (type === 'widen' || type === 'replace') return { type, targets: ['a', 'b'], what: type };
  return { type, what: type };
}

const EVENTS: ReleaseEventType[] = [
  ...(['widen', 'replace', 'pause', 'resume', 'promote', 'roll-back', 'abort'] as const),
];

describe('a release', () => {
  it('begins rolling, with nobody who has the document', () => {
    expect(record()).toMatchObject({ state: 'rolling', step: 0, targets: [], ended: null });
    expect(record().history).toEqual([
      {
        ...{ id: 't0', at: '2026-01-02T03:04:05.000Z', state: 'rolling', step: 0, targets: 0 },
        ...{ by: 'ann', what: 'started' },
      },
    ]);
  });

  it.each<[ReleaseState, Partial<Record<ReleaseEventType, ReleaseState>>]>([
    [
      'rolling',
      {
        ...{ widen: 'rolling', replace: 'rolling', pause: 'paused', promote: 'promoted' },
        ...{ 'roll-back': 'rolled-back', abort: 'aborted' },
      },
    ],
    [
      'paused',
      { resume: 'rolling', promote: 'promoted', 'roll-back': 'rolled-back', abort: 'aborted' },
    ],
    ['promoted', {}],
    ['rolled-back', {}],
    ['aborted', {}],
  ])('that is %s takes these events and no others', (state, expected) => {
    for (const type of EVENTS) {
      const next = nextRelease(record({ state }), event(type), stamp('t1'));
      expect(next?.state, `after ${type}`).toBe(expected[type]);
    }
  });

  it('goes a step further when it is widened, and never beyond the last one', () => {
    const first = nextRelease(record(), event('widen'), stamp('t1'))!;
    expect(first).toMatchObject({ step: 1, targets: ['a', 'b'] });
    const second = nextRelease(first, event('widen'), stamp('t2'))!;
    expect(second.step).toBe(2);
    expect(nextRelease(second, event('widen'), stamp('t3'))).toBeNull();
  });

  it('keeps step and targets through a pause, and its step through others in their place', () => {
    const rolling = record({ step: 1, targets: ['x'] });
    const paused = nextRelease(rolling, event('pause'), stamp('t1'))!;
    const resumed = nextRelease(paused, event('resume'), stamp('t2'))!;
    expect(resumed).toMatchObject({ state: 'rolling', step: 1, targets: ['x'] });
    const replaced = nextRelease(resumed, event('replace'), stamp('t3'))!;
    expect(replaced).toMatchObject({ step: 1, targets: ['a', 'b'] });
  });

  it('says why it is over, how many had it, and names nobody any more', () => {
    const over = nextRelease(record({ step: 1, targets: ['x'] }), event('roll-back'), stamp('t1'))!;
    expect(over).toMatchObject({ state: 'rolled-back', ended: 'roll-back', targets: [] });
    expect(over.history.at(-1)).toMatchObject({ what: 'roll-back', targets: 1 });
  });

  it('knows its transitions by their ids', () => {
    const next = nextRelease(record(), event('pause'), stamp('t1'))!;
    expect(['t0', 't1', 't2'].map((id) => hasTransition(next, id))).toEqual([true, true, false]);
  });

  it('stays small, so that it fits beside its document when it ends', () => {
    const what = 'ü'.repeat(5000);
    let long = record({ targets: Array.from({ length: 5000 }, (_, n) => `instance-${n}`) });
    for (let n = 0; n < 100; n++) {
      const type = n % 2 === 0 ? 'pause' : 'resume';
      long = nextRelease(long, { type, what }, stamp(`t${n}`))!;
    }
    expect(long.history).toHaveLength(50);
    const over = nextRelease(long, { type: 'promote', what }, stamp('last'))!;
    expect(encodeReleaseRecord(over).length).toBeLessThanOrEqual(8 * 1024);
    expect(hasTransition(over, 'last')).toBe(true);
  });
});
