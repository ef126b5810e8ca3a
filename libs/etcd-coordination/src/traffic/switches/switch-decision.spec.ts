import { describe, expect, it } from 'vitest';
import type { OwnWord } from './auto-switch.js';
import type { FleetWord } from './fleet-records.js';
import { decide, TRIAL_SHARE, type Voices } from './switch-decision.js';
import type { ManualWord } from './switch-rule.js';

const NOW = new Date('2026-11-23T12:00:00Z');

describe('who has the last word on a switch', () => {
  const manual = (state: 'on' | 'off', until: string | null = null): ManualWord => ({
    ...{ state, author: 'ada', reason: 'so it is', at: '2026-11-23T11:00:00Z', until },
  });
  const load = (cutFrom: number | null) => ({ cutFrom, author: 'bob', reason: 'load', at: null });
  const word = (state: 'on' | 'off'): FleetWord => ({
    ...{ state, by: 'orders-1', why: 'most', at: NOW, revision: '7' },
  });
  const own = (state: OwnWord['state']): OwnWord => ({ state, why: 'it failed', since: NOW });
  const of = (voices: Partial<Voices> & { manual?: ManualWord | null }) => {
    const { manual: said = null, ...others } = voices;
    const rule = { priority: 5, manual: said };
    const { state, share, source, scope } = decide('x', {
      ...{ rule, load: load(null), word: null, own: null, now: NOW },
      ...others,
    });
    return `${state} ${share} ${source} ${scope}`;
  };

  it('is an operator, over the cut of a class and the rule, both ways', () => {
    const others = { load: load(1), word: word('off'), own: own('cut') };
    expect(of({ manual: manual('on'), ...others })).toBe('on 1 manual fleet');
    expect(of({ manual: manual('off') })).toBe('off 0 manual fleet');
  });

  it('is an operator only for the time that was named', () => {
    expect(of({ manual: manual('off', '2026-11-23T12:00:01Z') })).toBe('off 0 manual fleet');
    expect(of({ manual: manual('off', '2026-11-23T12:00:00Z') })).toBe('on 1 default fleet');
  });

  it('is the cut of its class, over the rule', () => {
    expect(of({ load: load(5), word: word('on') })).toBe('off 0 class fleet');
    expect(of({ load: load(6) })).toBe('on 1 default fleet');
  });

  it('is the fleet, and then this process; who is well goes on trying while the fleet is cut', () => {
    expect(of({ word: word('off'), own: own('cut') })).toBe('off 0 automatic fleet');
    for (const state of ['trial', 'on'] as const) {
      const expected = `off ${TRIAL_SHARE} automatic fleet`;
      expect(of({ word: word('off'), own: own(state) })).toBe(expected);
    }
    expect(of({ word: word('on'), own: own('cut') })).toBe('off 0 automatic instance');
    expect(of({ own: own('trial') })).toBe(`off ${TRIAL_SHARE} automatic instance`);
    expect(of({ word: word('on'), own: own('on') })).toBe('on 1 default fleet');
  });
});
