import { STMConflictError } from 'etcd3';
import type { Etcd3Part, Etcd3System } from '../../systems/etcd3/etcd3-system.js';
import { codeOf } from '../owned/owner.js';
import { type RegisterCalls, RegisterDesk } from './register-desk.js';

/** Registers by etcd3's builders, and counters by its STM with its default options. */
class Etcd3Registers implements RegisterCalls {
  constructor(private readonly system: Etcd3System) {}

  read(register: string): Promise<string | null> {
    return this.system.keys.get(register).string();
  }

  async write(register: string, value: string): Promise<void> {
    await this.system.keys.put(register).value(value).exec();
  }

  async cas(register: string, expected: string | null, value: string): Promise<boolean> {
    const { keys } = this.system;
    const condition =
      expected === null
        ? keys.if(register, 'Version', '==', 0)
        : keys.if(register, 'Value', '==', expected);
    const { succeeded } = await condition.then(keys.put(register).value(value)).commit();
    return succeeded;
  }

  add(counter: string, by: number): Promise<number> {
    return this.system.keys.stm().transact(async (transaction) => {
      const sum = Number((await transaction.get(counter).string()) ?? '0') + by;
      await transaction.put(counter).value(`${sum}`).exec();
      return sum;
    });
  }

  /** No other error of etcd3 says whether a write took place. */
  outcomeOf(error: unknown): { outcome: 'failed' | 'unknown'; code: string } {
    const outcome = error instanceof STMConflictError ? 'failed' : 'unknown';
    return { outcome, code: codeOf(error) };
  }
}

export const part: Etcd3Part = {
  start: (ground) => Promise.resolve(new RegisterDesk(ground, new Etcd3Registers(ground.system))),
};
