/** A process that is offered so many calls a second under a rule, and tells how many went through in each slot of time. */
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import type { RateLimitOptions } from '../../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { machineNow } from '../election/machine-clock.js';
import { LimitMember } from './limit-member.js';

/** Admissions are counted in slots of so many milliseconds of the machine's clock. */
const SLOT_MS = 100;

interface Order {
  /** Calls a second from now on. */
  readonly offer?: number;
  readonly blockMs?: number;
  readonly close?: boolean;
}

const [endpoint, id, rule, ttl] = process.argv.slice(2) as [string, string, string, string];
const say = (message: object) => console.log(JSON.stringify(message));
const limits = { fleet: JSON.parse(rule) as RateLimitOptions };

const member = await LimitMember.start(id, endpoint, limits, { ttlSeconds: Number(ttl) });
let offered = 0;
let since = machineNow();
let owed = 0;
let slot = Math.floor(machineNow() / SLOT_MS);
let admitted = 0;

function turn(): void {
  const now = machineNow();
  const current = Math.floor(now / SLOT_MS);
  if (current !== slot) {
    const { share, members, lent, borrowed, numbers } = member.limiter.status('fleet');
    const { limit } = numbers;
    say({ type: 'slot', slot, admitted, share, members, lent, borrowed, limit });
    slot = current;
    admitted = 0;
  }
  owed += ((now - since) * offered) / 1000;
  since = now;
  // Nobody waits for a server that stood still for longer than this.
  owed = Math.min(owed, offered);
  for (; owed >= 1; owed -= 1) if (member.limiter.check('fleet').allowed) admitted += 1;
}
const turning = setInterval(turn, 5);

const input = createInterface({ input: process.stdin }).on('line', (line) => {
  const { offer, blockMs, close } = JSON.parse(line) as Order;
  if (offer !== undefined) offered = offer;
  if (blockMs !== undefined) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
  }
  if (close) void end();
});

async function end(): Promise<void> {
  clearInterval(turning);
  await member.close();
  input.close();
  process.stdin.destroy();
  say({ type: 'closed' });
}

await member.limiter.use('fleet');
say({ type: 'joined', now: machineNow() });
