import { setTimeout as pause } from 'node:timers/promises';
import type { RateLimitOptions } from '../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import { machineNow } from '../e2e/election/machine-clock.js';
import { LimitFleet, slotsOf } from '../e2e/traffic/limit-fleet.js';
import { LimitMember } from '../e2e/traffic/limit-member.js';
import type { Measure } from './alternate.js';

const DECISIONS = 500_000;
const KEYS = 5000;
const LIMIT = 1000;
const LIMITED: Record<string, RateLimitOptions> = {
  all: { limit: 100_000, windowMs: 1000, mode: 'instance' },
  keys: { limit: 100, windowMs: 1000, mode: 'instance', key: 'user' },
  // Of another name than that of the fleet below, which it would have a share of.
  alone: { limit: 100_000, windowMs: 1000, mode: 'fleet' },
};

/** What a decision costs, and how well a fleet keeps its limit while processes come and go. */
export class LimitMeasures {
  private run: Promise<{ off: number; most: number }> | null = null;
  private readonly keys = Array.from({ length: KEYS }, (_, index) => `user-${index}`);

  private constructor(
    private readonly endpoint: string,
    private readonly member: LimitMember,
  ) {}

  static async start(endpoint: string): Promise<LimitMeasures> {
    const member = await LimitMember.start('bench', endpoint, LIMITED);
    await Promise.all(Object.keys(LIMITED).map((rule) => member.limiter.use(rule)));
    return new LimitMeasures(endpoint, member);
  }

  get all(): Measure[] {
    const { limiter } = this.member;
    let turn = 0;
    return [
      this.decision("an instance's limit", () => limiter.check('all')),
      this.decision("a fleet's limit", () => limiter.check('alone')),
      this.decision(`a limit by key, of ${KEYS}`, () =>
        limiter.check('keys', { key: this.keys[(turn += 1) % KEYS]! }),
      ),
      {
        title: `requests to etcd of ${DECISIONS} decisions on an instance's limit`,
        ...{ unit: 'requests', rounds: 5, atMost: 0 },
        contenders: [{ name: 'limiter', run: () => this.requests() }],
      },
      {
        title: `a fleet's limit of ${LIMIT}/s, 4 processes, ${4 * LIMIT}/s offered, one killed and one added in 20 s: the furthest from it over 5 s`,
        ...{ unit: '%', rounds: 1, atMost: 5 },
        contenders: [{ name: 'limiter', run: async () => (await (this.run = this.fleet())).off }],
      },
      {
        title: 'the same: the most in any one second, against the limit',
        ...{ unit: '×', rounds: 1, atMost: 1.1 },
        contenders: [
          { name: 'limiter', run: async () => (await (this.run ??= this.fleet())).most },
        ],
      },
    ];
  }

  async close(): Promise<void> {
    await this.member.close();
  }

  private decision(what: string, decide: () => unknown): Measure {
    return {
      title: `a decision, ${what}`,
      ...{ unit: 'µs', rounds: 15, atMost: 1 },
      contenders: [
        {
          name: 'limiter',
          run: () => {
            const start = performance.now();
            for (let count = 0; count < DECISIONS; count += 1) decide();
            return Promise.resolve(((performance.now() - start) * 1000) / DECISIONS);
          },
        },
      ],
    };
  }

  private requests(): Promise<number> {
    const before = this.member.client.requestsSent;
    for (let count = 0; count < DECISIONS; count += 1) this.member.limiter.check('all');
    return Promise.resolve(this.member.client.requestsSent - before);
  }

  private async fleet(): Promise<{ off: number; most: number }> {
    const rule = { limit: LIMIT, windowMs: 1000, mode: 'fleet' } as const;
    const fleet = new LimitFleet(this.endpoint, rule);
    try {
      await Promise.all(Array.from({ length: 4 }, () => fleet.add(LIMIT)));
      // What a start is, is a change as well.
      await pause(1000);
      const from = machineNow();
      await pause(5500);
      const killedAt = machineNow();
      await fleet.workers[0]!.kill();
      await pause(6500);
      const added = await fleet.add(LIMIT);
      const first = slotsOf(added).find(({ admitted }) => admitted > 0);
      // It joins half a second before it lets anything through.
      const addedAt = first ? first.slot * 100 - 500 : machineNow();
      await pause(Math.max(7000, from + 20_000 - machineNow()));
      const to = machineNow() - 300;
      const rates = [
        ...fleet.rates(from, killedAt, 5),
        ...fleet.rates(killedAt + 1000, addedAt, 5),
        ...fleet.rates(addedAt + 1000, to, 5),
      ];
      const off = Math.max(...rates.map((rate) => (Math.abs(rate - LIMIT) * 100) / LIMIT));
      return { off, most: Math.max(...fleet.rates(from, to, 1)) / LIMIT };
    } finally {
      await fleet.stop();
    }
  }
}
