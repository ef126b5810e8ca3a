import { Inject, Injectable, Module, type OnModuleInit, type Type } from '@nestjs/common';
import { EtcdCoordinationModule } from 'nestjs-etcd-coordination';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../client/etcd-client.js';
import { getCoordinationToken } from '../../module/coordination.tokens.js';
import { TestWaitError } from '../testing.errors.js';
import { TestFleet } from './test-fleet.js';

const CLIENT = getCoordinationToken(EtcdClient, 'default');

function appOf(...providers: Type[]): Type {
  @Module({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: ['etcd.example:2379'] })],
    providers,
  })
  class App {}
  return App;
}

describe('an application that does not start', () => {
  let fleet: TestFleet;
  let clients: EtcdClient[];
  beforeEach(async () => {
    fleet = await TestFleet.empty();
    clients = [];
  });
  afterEach(() => fleet.close());

  it('leaves no client open when it cannot be compiled', async () => {
    @Injectable()
    class Broken {
      constructor(@Inject(CLIENT) client: EtcdClient) {
        clients.push(client);
        throw new Error('broken');
      }
    }
    await expect(fleet.add(appOf(Broken))).rejects.toThrow('broken');
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([true]);
    expect(fleet.instances).toEqual([]);
  });

  it.each([false, true])('leaves no client open when a hook fails (http: %s)', async (http) => {
    @Injectable()
    class Broken implements OnModuleInit {
      constructor(@Inject(CLIENT) client: EtcdClient) {
        clients.push(client);
      }
      onModuleInit(): void {
        throw new Error('broken');
      }
    }
    await expect(fleet.add(appOf(Broken), { http })).rejects.toThrow('broken');
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  it('is given up when it takes too long, and closed when it comes up after all', async () => {
    let comeUp!: () => void;
    let ended = false;
    @Injectable()
    class Slow implements OnModuleInit {
      constructor(@Inject(CLIENT) client: EtcdClient) {
        clients.push(client);
      }
      onModuleInit(): Promise<void> {
        return new Promise((resolve) => (comeUp = resolve));
      }
      onApplicationShutdown(): void {
        ended = true;
      }
    }
    const start = fleet.add(appOf(Slow));
    await expect(start).rejects.toThrow(TestWaitError);
    await expect(start).rejects.toThrow('the start of "instance-1"');
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([true]);
    expect(ended).toBe(false);
    comeUp();
    await fleet.time.until(() => ended);
    expect(ended).toBe(true);
  });

  it('lets its name be given again', async () => {
    class Broken implements OnModuleInit {
      onModuleInit(): void {
        throw new Error('broken');
      }
    }
    await expect(fleet.add(appOf(Broken), { name: 'a' })).rejects.toThrow('broken');
    expect((await fleet.add(appOf(), { name: 'a' })).name).toBe('a');
  });
});

describe('an instance without a name', () => {
  it('is called as no other one is', async () => {
    await using fleet = await TestFleet.start(appOf(), { instances: ['b', 'instance-3'] });
    const names = [await fleet.add(appOf()), await fleet.add(appOf())].map(({ name }) => name);
    expect(names).toEqual(['instance-4', 'instance-5']);
  });
});
