import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchQueue, type QueuedWrite } from './batch-queue.js';
import { Round } from './rounds.js';

const NOBODY = { resolve: () => undefined, reject: () => undefined };

function writeOf(name: string, acceptedAt: number): QueuedWrite {
  return {
    key: Buffer.from(name),
    name,
    value: null,
    lease: null,
    bytes: 10,
    acceptedAt,
    told: NOBODY,
    round: new Round(),
  };
}

describe('BatchQueue', () => {
  it('has one of a key out at most, and gives those of a key in their order', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ enter: fc.nat(4) }) },
      { weight: 2, arbitrary: fc.constant('take') },
      { weight: 4, arbitrary: fc.record({ release: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ withdraw: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ withdrawBefore: fc.nat(80) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new BatchQueue({ writes: 3, bytes: 35 }, (write) => queue.makeReady(write));
        const waiting: QueuedWrite[] = [];
        const out: QueuedWrite[] = [];
        let count = 0;
        for (const one of steps) {
          if (one === 'take') {
            const batch = queue.take();
            expect(batch.length).toBeLessThanOrEqual(3);
            for (const write of batch) {
              expect(out.map(({ name }) => name)).not.toContain(write.name);
              // The oldest of its key that waits.
              expect(waiting.find(({ name }) => name === write.name)).toBe(write);
              waiting.splice(waiting.indexOf(write), 1);
              out.push(write);
            }
          } else if ('enter' in one) {
            const write = writeOf(`k${one.enter}`, (count += 1));
            waiting.push(write);
            queue.enter(write);
          } else if ('release' in one) {
            const [write] = out.splice(one.release % Math.max(1, out.length), 1);
            if (write) queue.release(write);
          } else if ('withdrawBefore' in one) {
            const isSuch = ({ acceptedAt }: QueuedWrite) => acceptedAt < one.withdrawBefore;
            const gone = waiting.filter(isSuch);
            expect(new Set(queue.withdrawEach(isSuch))).toEqual(new Set(gone));
            for (const write of gone) waiting.splice(waiting.indexOf(write), 1);
          } else {
            const write = [...waiting, ...out][one.withdraw % Math.max(1, count)];
            if (!write) continue;
            expect(queue.withdraw(write)).toBe(waiting.includes(write));
            if (waiting.includes(write)) waiting.splice(waiting.indexOf(write), 1);
          }
          // The first of each key of which none is out.
          const held = new Set(out.map(({ name }) => name));
          const names = new Set(waiting.map(({ name }) => name).filter((name) => !held.has(name)));
          expect(queue.readyCount).toBe(names.size);
          expect(queue.oldestAt === null).toBe(queue.readyCount === 0);
        }
        // All of it comes out in the end.
        for (let rounds = 0; waiting.length > 0 && rounds < 100; rounds++) {
          for (const write of out.splice(0)) queue.release(write);
          for (const write of queue.take()) {
            waiting.splice(waiting.indexOf(write), 1);
            out.push(write);
          }
        }
        expect(waiting).toEqual([]);
      }),
    );
  });

  it('remembers a key of which one is out, however many others come and go', () => {
    const ready: QueuedWrite[] = [];
    const queue = new BatchQueue({ writes: 127, bytes: 1e6 }, (write) => {
      ready.push(write);
      queue.makeReady(write);
    });
    const first = writeOf('kept', 0);
    queue.enter(first);
    queue.take();
    for (let n = 0; n < 5000; n++) {
      const other = writeOf(`other ${n}`, n);
      queue.enter(other);
      queue.take();
      queue.release(other);
    }
    const second = writeOf('kept', 5000);
    queue.enter(second);
    expect(ready).not.toContain(second);
    queue.release(first);
    expect(ready).toContain(second);
    // What is idle is forgotten in the end.
    expect((Reflect.get(queue, 'keys') as Map<string, unknown>).size).toBeLessThan(2000);
  });
});
