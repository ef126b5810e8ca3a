import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { keysUnder } from '../../support/etcd-admin.js';
import {
  type AcceptedWrite,
  errorFaults,
  livenessFaults,
  type LockNote,
  lossFaults,
  overlaps,
  tokenFaults,
  writeFaults,
} from '../../support/lock-history.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { machineNow } from '../election/machine-clock.js';
import { type Hits, LockFaults } from './lock-faults.js';
import { LockFleet } from './lock-fleet.js';
import { LOCK, NAMESPACE, WRITES } from './locker-instance.js';

/** Have a run again with the seed that it printed: LOCK_SEED=… */
const SEED = Number(process.env['LOCK_SEED'] ?? Date.now() % 2 ** 31);
/** How long faults go on: in full on the newest server, and on the others for long enough to hit with each. */
const SECONDS = Number(process.env['LOCK_SECONDS'] ?? 60);
const SHORTER_SECONDS = Math.min(SECONDS, 25);
const PROCESSES = 5;
const TTL_MS = 2000;

/**
 * From the healing to the next grant: what the dead left must expire (their lease begins anew with a
 * leader of etcd, plus its election timeout; etcd looks for it twice a second), and who is next may
 * have a call under way that must time out (a registration: 5 s) and pause before the next (1 s).
 */
const FIRST_GRANT_MS = TTL_MS + 500 + 500 + 5000 + 1000;
/** Each process may have to take a lease of its own anew first. */
const EACH_GRANT_MS = 2 * FIRST_GRANT_MS;

const lines = await availableEtcdLines();

const runs = lines.map(
  (line, index) => [line, index === lines.length - 1 ? SECONDS : SHORTER_SECONDS] as const,
);

describe.each(runs)('five processes and one lock, on three members of etcd %s', (line, seconds) => {
  it(
    `have one valid holder at any moment, through ${seconds} s of faults`,
    async () => {
      const random = new SeededRandom(SEED);
      const folder = tempFolder('locks');
      const cluster = await EtcdCluster.start({ line });
      const fleet = new LockFleet(cluster, folder, TTL_MS / 1000, random);
      try {
        await fleet.start(PROCESSES);
        const faults = new LockFaults(fleet, cluster, TTL_MS, random);
        await faults.run(seconds * 1000);

        await Promise.all([cluster.heal(), fleet.heal()]);
        const healed = { at: machineNow(), firstMs: FIRST_GRANT_MS, eachMs: EACH_GRANT_MS };
        const processes = fleet.slots.map(({ id }) => id);
        await waitFor(() => livenessFaults(fleet.look(), processes, healed).length === 0, {
          ...{ what: 'everybody to have the lock again', timeoutMs: EACH_GRANT_MS },
        }).catch(() => undefined);

        const unended = await fleet.finish(20_000);
        const notes = fleet.look();
        const accepted = await acceptedWrites(cluster.endpoints[0]!);
        const left = await keysUnder(cluster.endpoints[0]!, `${NAMESPACE}/lock/${LOCK}/`);
        console.log(`etcd ${line}, LOCK_SEED=${SEED}: ${summary(notes, accepted, faults.hits)}`);

        const violations = {
          overlaps: overlaps(notes),
          tokens: tokenFaults(notes),
          writes: writeFaults(notes, accepted),
          losses: lossFaults(notes),
          errors: errorFaults(notes),
          liveness: livenessFaults(notes, processes, healed),
          // All have ended in an orderly way, and their leases with them.
          keysLeft: left.map(({ key }) => key),
          unended,
        };
        if (Object.values(violations).some((found) => found.length > 0)) keep(folder);
        expect(violations).toEqual({
          ...{ overlaps: [], tokens: [], writes: [], losses: [], errors: [] },
          ...{ liveness: [], keysLeft: [], unended: [] },
        });
        const missing = inconclusive(seconds / 60, notes, accepted, faults.hits);
        if (missing.length > 0) keep(folder);
        expect(missing).toEqual([]);
      } finally {
        await fleet.stop();
        await cluster.stop();
      }
    },
    seconds * 1000 + 180_000,
  );
});

/** Every guarded write that etcd took, past the library. */
async function acceptedWrites(endpoint: string): Promise<AcceptedWrite[]> {
  using etcd = rawEtcd(endpoint);
  const prefix = `${NAMESPACE}/${WRITES}`;
  const { kvs } = await etcd.client.getAll().prefix(prefix).exec();
  return kvs.map((kv) => ({
    write: kv.key.toString().slice(prefix.length),
    token: kv.value.toString(),
    revision: BigInt(kv.mod_revision),
    version: Number(kv.version),
  }));
}

/** What a run must have seen to say anything: a fault that hit nobody proves nothing. */
function inconclusive(
  minutes: number,
  notes: readonly LockNote[],
  accepted: readonly AcceptedWrite[],
  hits: Hits,
): string[] {
  const least = (name: string, seen: number, wanted: number) =>
    seen >= Math.floor(wanted * minutes) ? [] : [`${name}: ${seen}, and not ${wanted} a minute`];
  const count = (of: (note: LockNote) => boolean) => notes.filter(of).length;
  const lateRefused = (guard: string) => {
    const late = new Set(
      notes.flatMap((n) => (n.type === 'sent' && n.late && n.guard === guard ? [n.write] : [])),
    );
    return count((n) => n.type === 'answered' && n.outcome === 'refused' && late.has(n.write));
  };
  return [
    ...least('freezes of a holder past its lease', hits.freezes, 3),
    ...least('kills of a holder', hits.kills, 2),
    ...least('cut-offs both ways of a holder', hits.cutOffsBothWays, 1),
    ...least('cut-offs one way of a holder', hits.cutOffsOneWay, 1),
    ...least('changes of leader', hits.leaderChanges, 5),
    ...least(
      'grants',
      count((n) => n.type === 'granted'),
      120,
    ),
    ...least('accepted writes', accepted.length, 120),
    ...least('late raw writes refused', lateRefused('raw'), 3),
    ...least('late fenced writes refused', lateRefused('fenced'), 3),
    ...least(
      'losses that their holders noticed',
      count((n) => n.type === 'lost'),
      4,
    ),
  ];
}

function summary(
  notes: readonly LockNote[],
  accepted: readonly AcceptedWrite[],
  hits: Hits,
): string {
  const tally = (of: (note: LockNote) => string | null) => {
    const counts = new Map<string, number>();
    for (const note of notes) {
      const key = of(note);
      if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify({
    notes: notes.length,
    granted: tally((n) => (n.type === 'granted' ? n.how : null)),
    of: tally((n) => (n.type === 'granted' ? n.process : null)),
    lost: tally((n) => (n.type === 'lost' ? n.reason : null)),
    without: tally((n) => (n.type === 'without' ? n.code : null)),
    accepted: accepted.length,
    answers: tally((n) => (n.type === 'answered' ? `${n.outcome} ${n.code}`.trim() : null)),
    hits,
  });
}

/** What a failure was seen in outlives the test. */
function keep(folder: string): void {
  const kept = mkdtempSync(join(tmpdir(), 'lock-history-'));
  cpSync(folder, kept, { recursive: true });
  console.log(`The notes of the processes are in ${kept}.`);
}
