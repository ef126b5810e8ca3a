import { describe, expect, it } from 'vitest';
import { readReleasePlan, targetsAt } from './release-plan.js';

type Labels = Record<string, string>;
const fleet = (count: number, labels: (n: number) => Labels = () => ({})) =>
  new Map<string, Labels>(Array.from({ length: count }, (_, n) => [`i${n}`, labels(n)]));
const plan = (options = {}) => readReleasePlan('prices', options);
const release = (id: string, targets: readonly string[] = [], options = {}) => ({
  ...{ id, targets },
  plan: plan(options),
});

describe('the targets of a step', () => {
  it.each([
    [1, 10, 1],
    [3, 10, 1],
    [10, 10, 1],
    [11, 10, 2],
    [100, 7, 7],
    [3, 50, 2],
    [7, 100, 7],
  ])('of %d instances at %d percent are %d', (count, share, expected) => {
    const steps = share === 100 ? [100] : [share, 100];
    expect(targetsAt(release('r', [], { steps }), 1, fleet(count))).toHaveLength(expected);
  });

  it('are the same whoever works them out, and others for another release', () => {
    const here = fleet(100);
    const reversed = new Map([...here].reverse());
    const first = targetsAt(release('r1'), 1, here);
    expect(targetsAt(release('r1'), 1, reversed)).toEqual(first);
    expect(targetsAt(release('r2'), 1, here)).not.toEqual(first);
  });

  it('hold those of the step before, through instances that come and go', () => {
    const first = targetsAt(release('r'), 1, fleet(20));
    const later = fleet(40);
    later.delete(first[0]!);
    const second = targetsAt(release('r', first), 2, later);
    expect(second.slice(0, first.length)).toEqual(first);
    // Half of those who are here: the one that is gone does not count among them.
    expect(second.filter((id) => later.has(id))).toHaveLength(20);
    const all = targetsAt(release('r', second), 3, later);
    expect(new Set(all)).toEqual(new Set([first[0]!, ...later.keys()]));
  });

  it('are never fewer than before, though many have left', () => {
    const first = targetsAt(release('r', [], { steps: [50, 60, 100] }), 1, fleet(10));
    const few = new Map(first.slice(0, 2).map((id) => [id, {}]));
    expect(targetsAt(release('r', first, { steps: [50, 60, 100] }), 2, few)).toEqual(first);
  });

  it('are those with all of the labels first, and among the later ones too', () => {
    const labels = { canary: 'yes', tier: 'a' };
    const here = fleet(20, (n) => ({
      ...(n < 5 && { canary: 'yes' }),
      ...(n < 3 && { tier: 'a' }),
    }));
    const first = targetsAt(release('r', [], { labels }), 1, here);
    expect([...first].sort()).toEqual(['i0', 'i1', 'i2']);
    const second = targetsAt(release('r', first, { labels }), 2, here);
    expect(second).toEqual(first);
    here.set('late', labels);
    const third = targetsAt(release('r', second, { labels }), 3, here);
    expect(third).toHaveLength(11);
    expect(third).toContain('late');
  });

  it('are nobody while nobody carries the labels', () => {
    const labels = { toString: 'x' };
    expect(targetsAt(release('r', [], { labels }), 1, fleet(3))).toEqual([]);
  });
});

describe('a plan', () => {
  it('has defaults', () => {
    expect(plan()).toEqual({
      ...{ steps: [10, 50, 100], labels: null, observeMs: 60_000, applyTimeoutMs: 30_000 },
    });
  });

  it.each([
    [{ steps: [] }, 'no list of percentages'],
    [{ steps: '10' }, 'no list of percentages'],
    [{ steps: [50, 10, 100] }, 'goes from 50 to 10'],
    [{ steps: [50, 50, 100] }, 'goes from 50 to 50'],
    [{ steps: [10, 50] }, 'ends at 50'],
    [{ steps: [0, 100] }, 'a step of 0;'],
    [{ steps: [10, 101] }, 'a step of 101;'],
    [{ steps: [Number.NaN, 100] }, 'a step of NaN;'],
    [{ steps: ['10', 100] }, 'a step of "10";'],
    [{ steps: Array.from({ length: 21 }, (_, n) => n + 80) }, 'has 21 steps'],
    [{ labels: {} }, 'no label'],
    [{ labels: null }, 'no object'],
    [{ labels: ['a'] }, 'no object'],
    [{ labels: { canary: true } }, 'a label "canary" that is true'],
    [{ labels: { canary: 'x'.repeat(300) } }, 'more than 100 characters'],
    [{ observeMs: -1 }, 'observeMs of -1'],
    [{ observeMs: '60' }, 'observeMs of "60"'],
    [{ applyTimeoutMs: 0 }, 'applyTimeoutMs of 0'],
    [{ applyTimeoutMs: Infinity }, 'applyTimeoutMs of Infinity'],
  ])('is refused when it is %j', (options, fault) => {
    expect(() => plan(options)).toThrow(
      expect.objectContaining({
        code: 'INVALID_RELEASE_PLAN',
        key: 'prices',
        message: expect.stringContaining(fault),
      }),
    );
  });
});
