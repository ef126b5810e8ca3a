import type { Mutant } from './mutant.js';

const COMMITTER = 'transaction/committer.ts';

/** Those that read what is over, or write more or less often than once. */
export const registerMutants: readonly Mutant[] = [
  {
    name: 'serializable-reads',
    breaks: 'Reads are answered by whatever member is asked, from what it knows.',
    caughtBy: ['linearizable'],
    run: { seconds: 30, works: ['registers'], faults: ['isolate follower', 'isolate leader'] },
    replacements: [
      {
        file: 'client/etcd-client.ts',
        find: 'return this.caller.call(service, method, request, settings);',
        replace:
          "return this.caller.call(service, method, method === 'range' ? { ...request, serializable: true } : request, settings);",
      },
    ],
  },
  {
    name: 'stm-applied-twice',
    breaks:
      'A transaction whose answer was lost is taken for one that was not applied, and runs again.',
    caughtBy: ['counters', 'linearizable'],
    run: { seconds: 30, works: ['registers'], faults: ['cut off from one member', 'kill leader'] },
    replacements: [
      {
        file: COMMITTER,
        find: 'const revision = await mark.settle(plan.what, markLease, end);',
        replace: 'await mark.settle(plan.what, markLease, end); const revision = null;',
      },
    ],
  },
  {
    name: 'stm-without-compare',
    breaks: 'A transaction writes whether or not others have changed what it read.',
    caughtBy: ['counters', 'linearizable'],
    run: { seconds: 15, works: ['registers'], faults: ['reset connections'] },
    replacements: [
      {
        file: 'transaction/stm-attempt.ts',
        find: 'compare: isChecked ? this.compares() : [],',
        replace: 'compare: [],',
      },
    ],
  },
  {
    name: 'lost-answer-is-a-failure',
    breaks:
      'A write whose answer was lost is said to have failed, though it may have been applied.',
    caughtBy: ['linearizable', 'counters', 'fencing'],
    run: { seconds: 30, works: ['registers'], faults: ['cut off from one member', 'kill leader'] },
    replacements: [
      {
        file: 'client/caller.ts',
        find: 'if (unknown) return new WriteOutcomeUnknownError(what, failure.details, failure.error);',
        replace: '',
      },
    ],
  },
];
