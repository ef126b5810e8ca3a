import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeKv } from '../../../../test/support/fake-kv.js';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { ServiceRegistry } from './service.registry.js';

const SERVICE = { name: 'orders', address: 'http://h:1' };

describe('a registry whose application is going', () => {
  let clock: VirtualClock;
  let registry: ServiceRegistry;

  beforeEach(() => {
    Logger.overrideLogger(false);
    const kv = new FakeKv();
    clock = new VirtualClock();
    const client = Object.assign(kv.client, { clock }) as EtcdClient;
    // etcd is away: there is no lease, and none to come.
    const session = {
      lease: null,
      ready: (signal: AbortSignal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
      beforeRevocation: () => () => undefined,
    } as unknown as EtcdSession;
    const parts = { client, session, watch: kv.hub, namespace: 'ns', instanceId: 'p-1' };
    registry = new ServiceRegistry(parts);
    return () => registry.close();
  });

  it('registers nothing any more, and has nothing resume', async () => {
    const standing = registry.register(SERVICE);
    standing.catch(() => undefined);
    const [own] = registry.registrations;
    await registry.drainAll();
    expect(own!.state).toBe('draining');
    await expect(own!.resume()).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' });
    await expect(registry.register({ ...SERVICE, id: 'other' })).rejects.toMatchObject({
      code: 'REGISTRATION_ENDED',
    });
    expect([registry.registrations.length, registry.upUntil]).toEqual([1, -Infinity]);
    await registry.close();
    await settle();
    await expect(standing).rejects.toMatchObject({ code: 'REGISTRATION_ENDED' });
  });
});
