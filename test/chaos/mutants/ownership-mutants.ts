import type { Mutant } from './mutant.js';

const GUARD = 'transaction/fence-guard.ts';
const ENTRANCE = 'lock/claim-entrance.ts';
const OWN_LOCK = 'lock/own-lock.ts';

/** Those that own what they do not, or let others in too early. */
export const ownershipMutants: readonly Mutant[] = [
  {
    name: 'no-fencing',
    breaks: 'Fenced writes are sent without comparing the keys of their fences.',
    caughtBy: ['fencing'],
    run: { seconds: 25, works: ['locks', 'elections'], faults: ['freeze holder'] },
    replacements: [
      {
        file: GUARD,
        find: 'compares(): ICompare[] {\n    return this.fences.map(',
        replace: 'compares(): ICompare[] {\n    return this.fences.slice(0, 0).map(',
      },
      { file: GUARD, find: 'if (fence.grant?.isValid() === false) throw', replace: 'if (0) throw' },
    ],
  },
  {
    name: 'own-key-not-re-read',
    breaks: 'A request to enter whose answer was lost is taken for one that was granted.',
    caughtBy: ['one-owner', 'tokens', 'fencing'],
    run: {
      seconds: 30,
      works: ['locks'],
      faults: ['reset connections', 'kill leader', 'cut off from one member'],
    },
    replacements: [
      {
        file: ENTRANCE,
        find: 'if (error instanceof WriteOutcomeUnknownError) return null;',
        replace: `if (error instanceof WriteOutcomeUnknownError) {
          claim.mayStand = false;
          return { succeeded: true, revision: '1', responses: [{ response_range: { kvs: [] } }] };
        }`,
      },
    ],
  },
  {
    name: 'grant-outlives-lease',
    breaks: 'A lock is valid until its loss was told, whatever the clock says of its lease.',
    caughtBy: ['one-owner', 'loss'],
    run: { seconds: 40, works: ['locks'], faults: ['freeze holder', 'block event loop'] },
    replacements: [
      {
        file: OWN_LOCK,
        find: 'return this.releasing === null && this.lostBy === null && this.claim.lease.isValid();',
        replace: 'return this.releasing === null && this.lostBy === null;',
      },
    ],
  },
  {
    name: 'term-outlives-key',
    breaks: 'A leader goes on when its lease is over, until the watch tells that its key is gone.',
    caughtBy: ['one-owner', 'loss'],
    run: { seconds: 25, works: ['elections'], faults: ['cut off both ways', 'freeze holder'] },
    replacements: [
      {
        file: 'election/candidacy.ts',
        find: "if (!lease.isValid()) return end('session-lost');",
        replace: 'if (!lease.isValid() && !term) return;',
      },
      {
        file: 'election/own-term.ts',
        find: 'return this.endedBy === null && this.lease.isValid();',
        replace: 'return this.endedBy === null;',
      },
    ],
  },
  {
    name: 'one-token-for-all-turns',
    breaks: 'The turns that a process passes on behind one key all have the same token.',
    caughtBy: ['tokens'],
    run: { seconds: 10, works: ['locks'], faults: ['reset connections'] },
    replacements: [
      {
        file: OWN_LOCK,
        find: 'return (this.claim.revision! << TURN_BITS) | BigInt(this.turn);',
        replace: 'return this.claim.revision! << TURN_BITS;',
      },
    ],
  },
  {
    name: 'lease-left-behind',
    breaks: 'A session that is closed leaves its lease to run out.',
    caughtBy: ['shutdown'],
    run: { seconds: 8, faults: ['restart worker'] },
    replacements: [
      {
        file: 'session/etcd-session.ts',
        find: 'if (lease) this.stale.add(lease.id);',
        replace: 'this.stale.clear();',
      },
    ],
  },
];
