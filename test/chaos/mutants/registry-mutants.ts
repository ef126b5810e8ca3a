import type { Mutant } from './mutant.js';

const VIEW = 'discovery/service-view.ts';
const OWN = 'registry/own-registration.ts';

/** Those that hide the living, show the dead, or call only one. */
export const registryMutants: readonly Mutant[] = [
  {
    name: 'outage-empties-the-list',
    breaks: 'A list is empty for as long as nobody can say that it is what etcd has.',
    caughtBy: ['registry'],
    run: { seconds: 20, works: ['registry'], faults: ['lose quorum', 'reset connections'] },
    replacements: [
      {
        file: VIEW,
        find: 'return items;',
        replace: 'return this.ageMs() > 3000 ? [] : items;',
      },
    ],
  },
  {
    name: 'not-registered-again',
    breaks: 'An instance whose lease was lost is not registered again.',
    caughtBy: ['liveness'],
    run: { seconds: 20, works: ['registry'], faults: ['freeze worker'] },
    replacements: [
      {
        file: OWN,
        find: 'const isTold = this.entry.says(value, lease);',
        replace: 'const isTold = this.stood || this.entry.says(value, lease);',
      },
      {
        file: OWN,
        find: 'if (isTold && this.view.doubts) return this.lookAgain(value, lease);',
        replace: '',
      },
    ],
  },
  {
    name: 'dead-instances-stay',
    breaks: 'An instance that is gone from etcd stays in the list.',
    caughtBy: ['registry'],
    run: { seconds: 30, works: ['registry'], faults: ['freeze worker', 'restart worker'] },
    replacements: [
      {
        file: 'discovery/instance-table.ts',
        find: 'entry.registered = null;\n    if (value) standing.after = null;',
        replace: 'if (!value) return;\n    entry.registered = null;\n    standing.after = null;',
      },
    ],
  },
  {
    name: 'calls-are-not-repeated',
    breaks: 'A call that fails at one instance is not made at another one.',
    caughtBy: ['registry'],
    run: { seconds: 20, works: ['registry'], faults: ['freeze worker'] },
    replacements: [
      {
        file: 'discovery/call/call-service.ts',
        find: "if (end.kind !== 'repeatable' || number === this.options.attempts) throw end.error;",
        replace: "if (end.kind !== 'repeatable' || number > 0) throw end.error;",
      },
    ],
  },
];
