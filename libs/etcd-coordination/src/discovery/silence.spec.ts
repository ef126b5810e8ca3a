import { describe, expect, it } from 'vitest';
import { isFedUp, UnsaidReason } from './silence.js';

const deadline = AbortSignal.timeout(0);
const unsaid = new UnsaidReason();

describe('who gives up is fed up with the silence', () => {
  it.each([
    ['his deadline has come', 200, 5],
    ['it has come before anything was ever answered', 1, null],
    ['it is shorter than what is usual, and long enough', 100, 3000],
    ['it is shorter than that, and longer than usual', 20, 20],
  ])('if %s', async (_, waited, usual) => {
    await aborted(deadline);
    expect(isFedUp(deadline.reason, waited, usual)).toBe(true);
  });

  it('if he says nothing, and has waited ten times as long as usual', () => {
    expect(isFedUp(unsaid, 500, 50)).toBe(true);
    expect(isFedUp(unsaid, 100, 1)).toBe(true);
    expect(isFedUp(unsaid, 1000, null)).toBe(true);
  });

  it('but not if he has waited for less than that, or has another reason', () => {
    expect(isFedUp(unsaid, 499, 50)).toBe(false);
    expect(isFedUp(unsaid, 99, 1)).toBe(false);
    expect(isFedUp(unsaid, 999, null)).toBe(false);
    for (const why of [new DOMException('x', 'AbortError'), new Error('lost'), undefined, 'x']) {
      expect(isFedUp(why, 60_000, 1)).toBe(false);
    }
  });

  it('and not if hardly anything was left of his deadline as he began', async () => {
    await aborted(deadline);
    expect(isFedUp(deadline.reason, 19, 20)).toBe(false);
  });
});

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
