import { describe, expect, it } from 'vitest';
import type { ServiceProber } from '../registry/probe/prober.js';
import { Probing } from './probing.js';

function probingWith(wish: boolean | null) {
  const calls: string[] = [];
  const prober: Pick<ServiceProber, 'start' | 'close' | 'targets'> = {
    targets: 3,
    start: async () => void calls.push('start'),
    close: async () => void calls.push('close'),
  };
  return { calls, probing: new Probing(() => prober as ServiceProber, wish) };
}

describe('the part of a process in the probing', () => {
  it.each([
    ['as told', true, []],
    ['if an instance of its own asks to be probed', null, ['wanted']],
    ['once, whatever asks for it', true, ['wanted', 'wanted']],
  ] as const)('is taken %s', async (_, wish, asks) => {
    const { probing, calls } = probingWith(wish);
    probing.begin();
    for (const ask of asks) probing[ask]();
    expect(calls).toEqual(['start']);
    expect(probing.targets).toBe(3);
    await probing.close();
    expect(calls).toEqual(['start', 'close']);
  });

  it.each([
    ['nothing asks for it', null, []],
    ['the options say no', false, ['wanted']],
  ] as const)('is not taken where %s', async (_, wish, asks) => {
    const { probing, calls } = probingWith(wish);
    probing.begin();
    for (const ask of asks) probing[ask]();
    expect(probing.targets).toBeNull();
    await probing.close();
    expect(calls).toEqual([]);
  });

  it('is not taken by an application that ends', async () => {
    const { probing, calls } = probingWith(null);
    await probing.close();
    probing.wanted();
    expect(calls).toEqual([]);
  });
});
