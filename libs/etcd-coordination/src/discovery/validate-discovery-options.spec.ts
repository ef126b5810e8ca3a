import { describe, expect, it } from 'vitest';
import { DEFAULT_DISCOVERY_OPTIONS } from './discovery-options.js';
import { readDiscoveryOptions } from './validate-discovery-options.js';

describe('the options of the discovery', () => {
  it('have defaults', () => {
    expect(readDiscoveryOptions()).toEqual(DEFAULT_DISCOVERY_OPTIONS);
    expect(readDiscoveryOptions({ protection: false, ejection: false })).toMatchObject({
      protection: false,
      ejection: false,
    });
    expect(readDiscoveryOptions({ ejection: { failures: 2 } }).ejection).toMatchObject({
      failures: 2,
      baseMs: 5000,
    });
  });

  const refused: [object, string][] = [
    [{ protection: { maxLossShare: 1 } }, 'discovery.protection.maxLossShare'],
    [{ protection: { windowMs: 0 } }, 'discovery.protection.windowMs'],
    [{ protection: true }, 'discovery.protection'],
    [{ ejection: { failures: 0 } }, 'discovery.ejection.failures'],
    [{ ejection: { maxShare: NaN } }, 'discovery.ejection.maxShare'],
    [{ ejection: { baseMs: 10, maxMs: 5 } }, 'discovery.ejection.maxMs'],
    [{ slowStartMs: -1 }, 'discovery.slowStartMs'],
    [{ zone: { minHealthy: 0 } }, 'discovery.zone.minHealthy'],
    [{ subset: {} }, 'discovery.subset.size'],
    [{ snapshot: { file: '' } }, 'discovery.snapshot.file'],
    [{ idleMs: '5' }, 'discovery.idleMs'],
    [{ slowStart: 5 }, 'discovery.slowStart'],
  ];
  for (const [given, option] of refused) {
    it(`are refused by name: ${option}`, () => {
      expect(() => readDiscoveryOptions(given)).toThrow(
        expect.objectContaining({ code: 'INVALID_DISCOVERY_OPTION', option }) as Error,
      );
    });
  }
});
