import type { Mutant } from './mutant.js';

const WATCH = 'watch/range-watch.ts';

/** Those that lose or repeat what a watch has to tell. */
export const watchMutants: readonly Mutant[] = [
  {
    name: 'resume-from-header',
    breaks: 'A watch goes on from the revision in the header of the last answer, as etcd3 does it.',
    caughtBy: ['watch', 'state'],
    run: {
      seconds: 20,
      works: ['watched'],
      faults: ['cut off from one member', 'reset connections'],
    },
    replacements: [
      {
        file: WATCH,
        find: 'this.next ??= revision + 1n;',
        replace: 'this.next = revision + 1n;',
      },
      {
        file: WATCH,
        find: 'this.next = BigInt(last.kv.mod_revision) + 1n;',
        replace: 'this.next = BigInt(header.revision) + 1n;',
      },
      {
        file: WATCH,
        find: 'take({ events, fragment }: IWatchResponse)',
        replace: 'take({ events, fragment, header }: IWatchResponse)',
      },
    ],
  },
  {
    name: 'first-event-dropped',
    breaks: 'The first event after a watch was resumed is dropped.',
    caughtBy: ['watch'],
    run: { seconds: 15, works: ['watched'], faults: ['reset connections'] },
    replacements: [
      {
        file: WATCH,
        find: 'const resumed = this.stood;',
        replace: 'const resumed = this.stood; this.skips = resumed;',
      },
      {
        file: WATCH,
        find: 'const last = complete.at(-1);',
        replace:
          'if (this.skips) complete.shift(); this.skips = false; const last = complete.at(-1);',
      },
    ],
  },
  {
    name: 'told-again',
    breaks: 'A watch that is resumed tells its last revision once more.',
    caughtBy: ['watch'],
    run: { seconds: 15, works: ['watched'], faults: ['reset connections'] },
    replacements: [
      {
        file: WATCH,
        find: 'this.next = BigInt(last.kv.mod_revision) + 1n;',
        replace: 'this.next = BigInt(last.kv.mod_revision);',
      },
    ],
  },
  {
    name: 'no-relist',
    breaks: 'After a compaction a watch goes on without the difference that it missed.',
    caughtBy: ['watch'],
    run: { seconds: 30, works: ['watched'], faults: ['compaction while cut off'] },
    replacements: [
      {
        file: 'watch/range-view.ts',
        find: 'if (changes.length > 0) this.followers.tell({ changes, resync: true, listed: false });',
        replace: '',
      },
    ],
  },
  {
    name: 'no-deletes-in-a-resync',
    breaks: 'What was deleted while a watch could not be told is not in the difference.',
    caughtBy: ['watch', 'state'],
    run: { seconds: 30, works: ['watched'], faults: ['compaction while cut off'] },
    replacements: [
      {
        file: 'watch/range-change.ts',
        find: 'return [...puts, ...deletes];',
        replace: 'return puts;',
      },
    ],
  },
];
