import type { IEvent, IWatchResponse } from 'etcd3';
import { beforeEach, describe, expect, it } from 'vitest';
import { singleKey } from './key-range.js';
import { RangeWatch } from './range-watch.js';

describe('how far a watch has been told', () => {
  let told: string[][];
  let stood: [bigint, boolean, string | null][];
  let watch: RangeWatch;

  beforeEach(() => begin(null));

  function begin(startRevision: bigint | null): void {
    [told, stood] = [[], []];
    watch = new RangeWatch(singleKey('k'), startRevision, {
      standing: (...words) => stood.push(words),
      events: (events) => told.push(events.map((event) => event.kv.mod_revision)),
      compacted: () => undefined,
      refused: () => undefined,
    });
  }

  const asked = () => watch.createRequest(true).start_revision;

  it('begins after the revision at which it was created, if it was asked for from now on', () => {
    expect(asked()).toBeUndefined();
    watch.created(response(40));
    expect(asked()).toBe('41');
  });

  it('does not move with a header: not when it is created, nor with its events', () => {
    begin(10n);
    watch.created(response(5000));
    expect(asked()).toBe('10');
    watch.created(response(5000));
    watch.take(response(5000, [10, 11, 12]));
    expect(asked()).toBe('13');
    expect(stood).toEqual([
      [5000n, false, 'c1'],
      [5000n, true, 'c1'],
    ]);
  });

  it('tells the fragments of a response together', () => {
    watch.created(response(1));
    watch.take(response(9, [2, 3], true));
    watch.take(response(9, [3, 3], true));
    expect(told).toEqual([]);
    watch.take(response(9, [4]));
    expect(told).toEqual([['2', '3', '3', '3', '4']]);
  });

  it('asks for a response again whose fragments did not all come, and tells it once', () => {
    watch.created(response(1));
    watch.take(response(9, [2, 3], true));
    expect(asked()).toBe('2');
    watch.created(response(9));
    watch.take(response(9, [2, 3], true));
    watch.take(response(9, [4]));
    expect(told).toEqual([['2', '3', '4']]);
    expect(asked()).toBe('5');
  });

  it('does not tell twice what a server tells twice', () => {
    watch.created(response(1));
    watch.take(response(3, [2, 3]));
    watch.take(response(4, [3, 4]));
    watch.take(response(4, [4]));
    expect(told).toEqual([['2', '3'], ['4']]);
  });
});

function response(revision: number, events: number[] = [], fragment = false): IWatchResponse {
  return {
    header: { revision: `${revision}`, cluster_id: 'c1' },
    watch_id: '7',
    events: events.map((at) => ({ kv: { mod_revision: `${at}` } }) as unknown as IEvent),
    fragment,
  } as unknown as IWatchResponse;
}
