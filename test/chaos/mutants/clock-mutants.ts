import type { Mutant } from './mutant.js';

const LEASE = 'session/session-lease.ts';
const KEEPER = 'session/lease-keeper.ts';

/** Those that tell the end of a lease wrongly. */
export const clockMutants: readonly Mutant[] = [
  {
    name: 'loss-at-2-ttl',
    breaks: 'A lease is given up two TTLs after its last keepalive, as etcd3 does it.',
    caughtBy: ['one-owner'],
    run: { seconds: 25, works: ['elections'], faults: ['cut off both ways'] },
    replacements: [
      {
        file: LEASE,
        find: 'return sentAt + this.ttlMs - safetyMargin(this.ttlMs);',
        replace: 'return sentAt + 2 * this.ttlMs;',
      },
    ],
  },
  {
    name: 'wall-clock',
    breaks: 'Leases are counted by the wall clock, which jumps.',
    caughtBy: ['one-owner', 'loss'],
    run: {
      seconds: 50,
      works: ['locks', 'elections'],
      faults: ['jump wall clock', 'freeze holder', 'cut off both ways'],
    },
    replacements: [
      {
        file: 'client/clock.ts',
        find: 'now: () => performance.now(),',
        replace: 'now: () => Date.now(),',
      },
    ],
  },
  {
    name: 'keepalive-from-answer',
    breaks: 'A keepalive counts from its answer, not from when it was sent.',
    caughtBy: ['one-owner'],
    run: {
      ...{ seconds: 60, ttlSeconds: 4 },
      works: ['elections'],
      faults: ['answers late, then cut off to etcd'],
    },
    replacements: [
      {
        file: KEEPER,
        find: 'this.events.answered(beat.sentAt);',
        replace: 'this.events.answered(this.clock.now());',
      },
    ],
  },
  {
    name: 'signal-by-timer',
    breaks: 'The signal of a lease is aborted by a timer alone, which comes late after a freeze.',
    caughtBy: ['loss'],
    run: {
      seconds: 30,
      works: ['elections', 'locks'],
      faults: ['freeze holder', 'block event loop'],
    },
    replacements: [
      {
        file: 'session/checked-signal.ts',
        find: 'get(): boolean {\n        check();',
        replace: 'get(): boolean {',
      },
    ],
  },
];
