/** A process that stands in an election and tells what it sees, by the clock of the machine. */
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { Instance } from './instance.js';
import { machineNow } from './machine-clock.js';

const [endpoint, id, election, ttl] = process.argv.slice(2) as [string, string, string, string];
const say = (message: object) => console.log(JSON.stringify(message));

const instance = await Instance.start(id, endpoint, { ttlSeconds: Number(ttl) });
let current: LeaderTerm | null = null;
let lastValid = 0;
let lastLook = machineNow();

instance.elections.term$(election).subscribe((term) => {
  if (!term) return;
  current = term;
  lastValid = machineNow();
  say({ type: 'elected', id, now: lastValid, epoch: term.epoch.toString() });
});

/** What a user of the term would see now. */
function look(): void {
  const gap = machineNow() - lastLook;
  lastLook = machineNow();
  const term = current;
  if (!term) return;
  // The signal is read before anything else can have noticed.
  const { aborted } = term.signal;
  const epoch = term.epoch.toString();
  if (gap > 1000) {
    say({ type: 'woke', id, gap, aborted, epoch, valid: term.isValid() });
    void write(term);
  }
  if (term.isValid()) {
    lastValid = machineNow();
    return;
  }
  current = null;
  say({ type: 'ended', id, lastValid, epoch });
}

async function write(term: LeaderTerm): Promise<void> {
  const { etcd } = instance.client;
  const epoch = term.epoch.toString();
  const write = etcd.if(term.fence.key, 'Create', '==', epoch).then(etcd.put('late').value(id));
  const outcome = await write.commit().then(
    ({ succeeded }) => ({ succeeded }),
    (error: unknown) => ({ error: String(error) }),
  );
  say({ type: 'wrote', id, epoch, ...outcome });
}

const looking = setInterval(look, 5);

const input = createInterface({ input: process.stdin }).on('line', (line) => {
  const { blockMs, close } = JSON.parse(line) as { blockMs?: number; close?: boolean };
  if (blockMs !== undefined) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
    look();
  }
  if (close) void end();
});

async function end(): Promise<void> {
  await instance.close();
  look();
  clearInterval(looking);
  input.close();
  process.stdin.destroy();
  // Nothing of the library may hold the process now.
  say({ type: 'closed', id, now: machineNow() });
  process.on('exit', () => say({ type: 'exit', id, now: machineNow() }));
}

await instance.elections.join(election);
say({ type: 'joined', id, ttlMs: instance.session.lease?.ttlMs });
