import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes half a minute and more, the longest first: begun last, it would keep one core waiting for the other. */
const LONG = [
  'e2e/config/restart',
  'e2e/config/release-processes',
  'e2e/watch/outage',
  'e2e/config/publishing-faults',
  'e2e/config/release-control',
  'e2e/watch/catch-up',
  'e2e/watch/failover',
  'e2e/transaction/counters',
  'test/package/package',
  'e2e/election/lost-answers',
  'e2e/lock/losses',
  'e2e/lock/several',
];

export class LongFirstSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

function place({ moduleId }: TestSpecification): number {
  const found = LONG.findIndex((part) => moduleId.includes(part));
  return found === -1 ? LONG.length : found;
}
