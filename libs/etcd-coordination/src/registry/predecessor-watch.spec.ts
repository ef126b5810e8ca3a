import type { IKeyValue } from 'etcd3';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { PredecessorWatch } from './predecessor-watch.js';

const on = (lease: string, mod_revision = '5') => ({ lease, mod_revision }) as IKeyValue;

describe('whoever has the id already', () => {
  let clock: VirtualClock;
  let watch: PredecessorWatch;
  /** What etcd says of the lease: whole seconds. */
  let remaining: number;
  let raftTerm: string;

  beforeEach(() => {
    clock = new VirtualClock();
    [remaining, raftTerm] = [10, '1'];
    const leaseTimeToLive = async () => ({ TTL: `${remaining}`, header: { raft_term: raftTerm } });
    watch = new PredecessorWatch({ clock, leaseTimeToLive } as unknown as EtcdClient);
  });

  it('is not known to live at the first look', async () => {
    expect(await watch.look(on('7'))).toBe('unknown');
  });

  it('lives if its lease has more time left than it can have by itself', async () => {
    await watch.look(on('7'));
    clock.freeze(4000);
    remaining = 9;
    expect(await watch.look(on('7'))).toBe('alive');
  });

  it('may have crashed while its lease only runs out, and what etcd rounds is no sign of life', async () => {
    await watch.look(on('7'));
    for (const left of [9, 7, 5, 3, 0, -1]) {
      clock.freeze(2000);
      remaining = left;
      expect(await watch.look(on('7'))).toBe('unknown');
    }
  });

  it('is looked at anew on another lease, and under another leader of the cluster', async () => {
    await watch.look(on('7'));
    clock.freeze(8000);
    expect(await watch.look(on('8'))).toBe('unknown');
    clock.freeze(8000);
    raftTerm = '2';
    expect(await watch.look(on('8'))).toBe('unknown');
    clock.freeze(8000);
    expect(await watch.look(on('8'))).toBe('alive');
  });

  it('is a stray if it stands on no lease, and is the same at the second look', async () => {
    expect(await watch.look(on('0', '5'))).toBe('unknown');
    expect(await watch.look(on('0', '6'))).toBe('unknown');
    expect(await watch.look(on('0', '6'))).toBe('stray');
  });
});
