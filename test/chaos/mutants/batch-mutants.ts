import type { Mutant } from './mutant.js';

/** Those that lose batched writes, write them twice or in another order, or read what is over. */
export const batchMutants: readonly Mutant[] = [
  {
    name: 'batches-sent-again-blindly',
    breaks: 'A batch that is not answered at once is sent again, though it may have been applied.',
    caughtBy: ['batches'],
    run: { seconds: 30, works: ['batches'], faults: ['reset connections', 'kill leader'] },
    replacements: [
      {
        file: 'transaction/committer.ts',
        find: 'const revision = await mark.settle(plan.what, markLease, end);',
        replace: 'await mark.settle(plan.what, markLease, end); const revision = null;',
      },
      {
        file: 'transaction/committer.ts',
        find: 'const timeoutMs = Math.min(timeouts.write, (end - clock.now()) / 2);',
        replace: 'const timeoutMs = attempt < 3 ? 5 : timeouts.write;',
      },
    ],
  },
  {
    name: 'batches-acknowledged-unanswered',
    breaks: 'A batch is acknowledged before etcd has answered.',
    caughtBy: ['batches'],
    run: { seconds: 15, works: ['batches'], faults: ['kill leader'] },
    replacements: [
      {
        file: 'transaction/batch-sender.ts',
        find: '({ revision } = await this.committer.commit(plan, FenceGuard.none, (it) => (bar = it)));',
        replace:
          'revision = 0n; void this.committer.commit(plan, FenceGuard.none).catch(() => undefined);',
      },
    ],
  },
  {
    name: 'batched-writes-overtake',
    breaks: 'A write of a key does not wait for the one before it.',
    caughtBy: ['batches'],
    run: { seconds: 20, works: ['batches'], faults: ['reset connections'] },
    replacements: [
      {
        file: 'transaction/batch-queue.ts',
        find: 'if (behind === undefined || behind === IDLE) {',
        replace: 'if (behind !== this) {',
      },
    ],
  },
  {
    name: 'failed-part-fails-the-batch-silently',
    breaks: 'The other writes of a batch that etcd refuses are taken for written.',
    caughtBy: ['batches'],
    run: { seconds: 15, works: ['batches'], faults: ['reset connections'] },
    replacements: [
      {
        file: 'transaction/batch-sender.ts',
        find: 'await Promise.all(parts.map((part) => this.send(part)));',
        replace: 'this.handlers.written(batch, 1n);',
      },
    ],
  },
  {
    name: 'merged-reads-are-serializable',
    breaks: 'Merged reads are answered by whatever member is asked, from what it knows.',
    caughtBy: ['batches'],
    run: { seconds: 30, works: ['batches'], faults: ['isolate follower', 'isolate leader'] },
    replacements: [
      {
        file: 'transaction/merged-reads.ts',
        find: 'batch.map(({ key }) => ({ key }))',
        replace: 'batch.map(({ key }) => ({ key, serializable: true }))',
      },
    ],
  },
];
