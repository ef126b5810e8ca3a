import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Leader, WatchConfig } from 'nestjs-etcd-coordination';
import { afterEach, describe, expect, it } from 'vitest';
import { EtcdTestingModule, TestFleet, TestInstance } from './index.js';

@Injectable()
class Worker {
  worked = 0;

  @WatchConfig('settings', { default: { size: 1 } })
  readonly settings!: { readonly size: number };

  @Leader('work')
  async work(): Promise<void> {
    this.worked += 1;
  }
}

describe('EtcdTestingModule.forTest()', () => {
  const apps: TestingModule[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  async function start(options?: Parameters<typeof EtcdTestingModule.forTest>[0]) {
    const app = await Test.createTestingModule({
      imports: [EtcdTestingModule.forTest(options)],
      providers: [Worker],
    }).compile();
    apps.push(app);
    await app.init();
    return app;
  }

  it('stands in place of forRoot, with an etcd of its own', async () => {
    const app = await start();
    const fleet = app.get(TestFleet);
    await fleet.term(app.get(TestInstance), 'work');
    await app.get(Worker).work();
    await fleet.setConfig('settings', { size: 4 });
    expect([app.get(Worker).worked, app.get(Worker).settings.size]).toEqual([1, 4]);
  });

  it('lets the test rule its time and its faults', async () => {
    const app = await start({ session: { ttlSeconds: 6 } });
    const [fleet, instance] = [app.get(TestFleet), app.get(TestInstance)];
    const term = await fleet.term(instance, 'work');
    instance.freeze();
    await fleet.time.advance(6000);
    await app.get(Worker).work();
    expect([term.isValid(), app.get(Worker).worked]).toEqual([false, 0]);
  });

  it('ends with the application, whatever the test has done to it', async () => {
    const app = await start();
    app.get(TestFleet).etcd.goAway();
    app.get(TestInstance).freeze();
    const { endpoint } = app.get(TestFleet).etcd;
    await app.close();
    await expect(fetch(endpoint)).rejects.toThrow('fetch failed');
    await expect(app.get(TestFleet).time.advance(1)).rejects.toThrow('after the end');
    apps.length = 0;
  });

  it('refuses options as forRoot does', () => {
    expect(() => EtcdTestingModule.forTest({ namespace: '' })).toThrow('namespace');
    expect(() => EtcdTestingModule.forTest({ endpoint: [] } as never)).toThrow('endpoint');
  });
});
