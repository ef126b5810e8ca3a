import { connect, createServer, type AddressInfo } from 'node:net';
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestingUsageError, TestWaitError } from '../testing.errors.js';
import { InstanceClock } from './instance-clock.js';
import { VirtualTime } from './virtual-time.js';

describe('virtual time', () => {
  let time: VirtualTime;
  let fired: string[];
  const note = (name: string) => () => void fired.push(`${name}@${time.now()}`);

  beforeEach(() => {
    time = new VirtualTime();
    fired = [];
  });
  afterEach(() => time.close());

  it('stands still until it is told to go on', async () => {
    const before = time.now();
    time.setTimer(note('a'), 1);
    await time.settle();
    expect([fired, time.now()]).toEqual([[], before]);
    await time.advance(5);
    expect([fired, time.now()]).toEqual([['a@1001'], before + 5]);
  });

  it('fires timers in order, those that others set included, and cancelled ones never', async () => {
    time.setTimer(note('late'), 30);
    time.setTimer(() => {
      note('first')();
      time.setTimer(note('next'), 5);
      cancel();
    }, 10);
    time.setTimer(note('same moment'), 10);
    const cancel = time.setTimer(note('cancelled'), 20);
    await time.advance(100);
    expect(fired).toEqual(['first@1010', 'same moment@1010', 'next@1015', 'late@1030']);
    expect(time.pending).toBe(0);
  });

  it('lets promises and connections come to their end between two timers', async () => {
    const server = createServer((socket) => socket.on('data', (data) => socket.write(data)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let answers = 0;
    client.on('data', (data) => {
      answers += data.length;
      if (answers < 50) client.write('x');
      else note('answered')();
    });
    time.setTimer(() => client.write('x'), 10);
    time.setTimer(note('second'), 10);
    await time.advance(10);
    expect(fired).toEqual(['answered@1010', 'second@1010']);
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('runs a timer in the context in which it was set', async () => {
    const storage = new AsyncLocalStorage<string>();
    storage.run('inside', () => time.setTimer(() => fired.push(String(storage.getStore())), 1));
    await time.advance(1);
    expect(fired).toEqual(['inside']);
  });

  it('goes no further than what is waited for', async () => {
    let done = false;
    time.setTimer(() => (done = true), 40);
    time.setTimer(note('after'), 10_000);
    expect(await time.until(() => done, 1000)).toBe(true);
    expect([time.now(), fired]).toEqual([1040, []]);
    expect(await time.until(() => false, 100)).toBe(false);
    expect(time.now()).toBe(1140);
  });

  it('gives what work comes to, and says when it has not', async () => {
    const later = (ms: number) => new Promise<number>((done) => time.setTimer(() => done(ms), ms));
    expect(await time.run(() => later(70))).toBe(70);
    await expect(time.run(Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    await expect(time.run(later(100), 50)).rejects.toThrow(TestWaitError);
  });

  it.each([-1, Number.NaN, Infinity, '5' as never])('refuses to advance by %s', async (ms) => {
    await expect(time.advance(ms)).rejects.toThrow(TestingUsageError);
  });

  it('lets one wait while another does, and tells each at its moment', async () => {
    const told: string[] = [];
    const tell = (name: string) => () => void told.push(`${name}@${time.now()}`);
    const inner = async () => {
      await time.advance(20);
      tell('inner')();
      await time.advance(20);
    };
    const short = time.advance(10).then(tell('short'));
    await time.run(inner).then(tell('outer'));
    await short;
    expect(told).toEqual(['short@1010', 'inner@1020', 'outer@1040']);
  });

  it('refuses to go on after the end', async () => {
    time.setTimer(note('never'), 1);
    time.close();
    await expect(time.advance(1)).rejects.toThrow('after the end of the test');
    await expect(time.run(() => Promise.resolve())).rejects.toThrow('after the end of the test');
    expect(fired).toEqual([]);
  });

  it('goes on for a frozen instance, whose timers fire when it wakes', async () => {
    const clock = new InstanceClock(time);
    clock.setTimer(note('own'), 10);
    const cancel = clock.setTimer(note('cancelled while frozen'), 20);
    time.setTimer(note('of others'), 15);
    clock.freeze();
    await time.advance(100);
    expect([clock.now(), fired]).toEqual([1100, ['of others@1015']]);
    cancel();
    clock.thaw();
    expect(fired).toEqual(['of others@1015', 'own@1100']);
  });

  it('fires all that is overdue when an instance wakes, and tells of those that throw', async () => {
    const clock = new InstanceClock(time);
    const fail = (message: string) => () => {
      throw new Error(message);
    };
    clock.setTimer(fail('first'), 10);
    clock.setTimer(note('own'), 20);
    clock.freeze();
    await time.advance(50);
    expect(() => clock.thaw()).toThrow('first');
    expect([clock.isFrozen, fired]).toEqual([false, ['own@1050']]);
    for (const message of ['second', 'third']) clock.setTimer(fail(message), 10);
    clock.freeze();
    await time.advance(50);
    expect(() => clock.thaw()).toThrow(
      expect.objectContaining({ errors: [new Error('second'), new Error('third')] }),
    );
  });
});
