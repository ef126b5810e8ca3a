/** A process that follows configurations, and stops itself at a point of a release that it controls. */
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { Member, type Transition } from './release-member.js';

/** Where it stops itself, and how. */
interface Trap {
  readonly type: Transition['type'];
  readonly step: number;
  readonly when: 'before' | 'after';
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

const [endpoint, id] = process.argv.slice(2) as [string, string];
const say = (message: object) => console.log(JSON.stringify({ id, ...message }));
let trap: Trap | null = null;

const member = await Member.start(id, endpoint, { labels: { name: id }, ttlSeconds: 2 });
member.aroundTransitions(async ({ type, step, key }, send) => {
  const isIt = trap?.type === type && (type === 'archive' || trap.step === step);
  if (isIt && trap?.when === 'before') stop(key);
  const answer = (await send()) as { succeeded: boolean };
  say({ type: 'wrote', what: type, key, succeeded: answer.succeeded });
  if (isIt && trap?.when === 'after') stop(key);
  return answer;
});

function stop(key: string): void {
  const { signal } = trap!;
  trap = null;
  say({ type: 'reached', key });
  process.kill(process.pid, signal);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const told = JSON.parse(line) as { follow?: string; trap?: Trap | null };
  if (told.trap !== undefined) {
    trap = told.trap;
    say({ type: 'trap', is: trap?.type ?? 'none' });
  }
  if (told.follow !== undefined) void follow(told.follow);
});

async function follow(key: string): Promise<void> {
  await member.watch(key, undefined, (price) => say({ type: 'value', key, price }));
  say({ type: 'follows', key });
}

say({ type: 'ready' });
