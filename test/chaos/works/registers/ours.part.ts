import {
  EtcdNoSpaceError,
  WriteOutcomeUnknownError,
} from '../../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { oursCode } from '../../systems/ours/ours-code.js';
import type { OursPart, OursSystem } from '../../systems/ours/ours-system.js';
import type { Ground } from '../work.js';
import { type RegisterCalls, RegisterDesk } from './register-desk.js';

/** Registers through `EtcdTransactions`, and in part through the raw client that the library gives. */
class OursRegisters implements RegisterCalls {
  constructor(private readonly ground: Ground<OursSystem>) {}

  async read(register: string): Promise<string | null> {
    const { random, system } = this.ground;
    if (random.chance(0.5)) return system.etcd.get(this.key(register)).string();
    const value = await system.transactions.stm((transaction) => transaction.get(register));
    return value?.text() ?? null;
  }

  async write(register: string, value: string): Promise<void> {
    const { random, system } = this.ground;
    if (random.chance(0.5)) await this.putRaw(register, value);
    else await system.transactions.batch().put(register, value).commit();
  }

  /** Nobody reads back what the raw client was refused for want of space, and etcd may have applied it. */
  private async putRaw(register: string, value: string): Promise<void> {
    try {
      await this.ground.system.etcd.put(this.key(register)).value(value).exec();
    } catch (error) {
      if (!(error instanceof EtcdNoSpaceError)) throw error;
      throw new WriteOutcomeUnknownError('a put', 'etcd says that it has no space', error);
    }
  }

  async cas(register: string, expected: string | null, value: string): Promise<boolean> {
    const { transactions } = this.ground.system;
    return (await transactions.compareAndSet(register, expected, value)).succeeded;
  }

  add(counter: string, by: number): Promise<number> {
    return this.ground.system.transactions.stm(async (transaction) => {
      const sum = Number((await transaction.get(counter))?.text() ?? '0') + by;
      transaction.put(counter, `${sum}`);
      return sum;
    });
  }

  /** Only an error that says so leaves it open whether a write took place. */
  outcomeOf(error: unknown): { outcome: 'failed' | 'unknown'; code: string } | null {
    const code = oursCode(error);
    if (code === null) return null;
    return { code, outcome: code === 'WRITE_OUTCOME_UNKNOWN' ? 'unknown' : 'failed' };
  }

  private key(register: string): string {
    return `${this.ground.namespace}/${register}`;
  }
}

export const part: OursPart = {
  start: (ground) => Promise.resolve(new RegisterDesk(ground, new OursRegisters(ground))),
};
