import { expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { Instance } from '../election/instance.js';
import { queueOf } from '../lock/lock-keys.js';
import { waitFor } from '../../support/wait-for.js';

const lines = await availableEtcdLines();
const worker = new URL('./jumping.worker.ts', import.meta.url);
const HOUR_MS = 3_600_000;
const TTL = 3;

/** Promise 3 counts by the monotonic clock: NTP, an operator and a virtual machine may set the other. */
describeAtOnce(lines, 'a process whose wall clock jumps', (line) => {
  it('leads and holds its lock for as long as it lives, and not longer', async () => {
    const server = await EtcdServer.start({ line });
    const jumping = await WorkerProcess.start(worker, { args: [server.endpoint, `${TTL}`] });
    const holds = await jumping.message('holds', { timeoutMs: 30_000 });
    const next = await Instance.start('next', server.endpoint);
    const waiting = next.locks.acquire('l');
    const queued = async () => (await queueOf(server.endpoint, 'l')).length === 2;
    await waitFor(queued, { what: 'the next in the queue' });

    let wallClock = Date.now();
    for (const jump of [HOUR_MS, -2 * HOUR_MS]) {
      const after = performance.now();
      jumping.send({ jump });
      const jumped = await jumping.message('jumped', { after });
      expect(jumped['valid']).toBe(true);
      wallClock += jump;
      // It has jumped indeed, not crept.
      expect(Math.abs((jumped['wallClock'] as number) - wallClock)).toBeLessThan(HOUR_MS / 2);
      const renewed = await jumping.message(({ type }) => /renewed/.test(String(type)), { after });
      expect(renewed).toMatchObject({ type: 'renewed', valid: true, same: true });
    }
    expect(jumping.messages.filter(({ type }) => type === 'lost')).toEqual([]);

    await jumping.kill();
    const lock = await waiting;
    expect(lock.token > BigInt(holds['token'] as string)).toBe(true);
    await lock.release();
    await next.close();
    await server.stop();
  });
});
