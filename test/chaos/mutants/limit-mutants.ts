import type { Mutant } from './mutant.js';

const SHARE = 'traffic/limit/fleet-share.ts';
const run = { seconds: 25, works: ['limits'], faults: ['restart worker'] };

/** Those that let more through than the limit of a fleet. */
export const limitMutants: readonly Mutant[] = [
  {
    name: 'limit-is-not-divided',
    breaks: 'Every process has the whole limit of the fleet.',
    caughtBy: ['limits'],
    run,
    replacements: [
      {
        file: SHARE,
        find: 'const share = 1 / members;\n    const { rate: borrowed',
        replace: 'const share = 1;\n    const { rate: borrowed',
      },
    ],
  },
  {
    name: 'limit-newcomer-without-grace',
    breaks: 'A newcomer lets calls through before the others can have heard of it.',
    caughtBy: ['limits'],
    run,
    replacements: [
      {
        file: 'traffic/limit/presence.ts',
        find: 'if (!this.isKnown) this.joinsAt(now + GRACE_MS);',
        replace: 'if (!this.isKnown) this.joinsAt(now);',
      },
    ],
  },
  {
    name: 'limit-lender-keeps-its-share',
    breaks: 'What a process lends it uses as well.',
    caughtBy: ['limits'],
    run,
    replacements: [
      {
        file: SHARE,
        find: 'const part = share - lent + borrowed;',
        replace: 'const part = share + borrowed;',
      },
    ],
  },
  {
    name: 'limit-borrower-counts-from-the-arrival',
    breaks:
      'A borrower counts on what it was lent from whenever it looks, and not from when it asked.',
    caughtBy: ['limits'],
    run: { seconds: 30, works: ['limits'], faults: ['lose quorum'] },
    replacements: [
      {
        file: 'traffic/limit/share-lending.ts',
        find: 'const until = to === self ? (this.until.get(beat) ?? 0) : 0;',
        replace: 'const until = to === self ? now + 3000 : 0;',
      },
    ],
  },
];
