import type { RegisterCall, RegisterNote } from '../../check/register-notes.js';
import { Pace } from '../pace.js';
import type { Ground, Running } from '../work.js';
import { COUNTERS, REGISTERS } from './register-names.js';

/** How a system does each call. All reject if it fails, or may have. */
export interface RegisterCalls {
  read(register: string): Promise<string | null>;
  write(register: string, value: string): Promise<void>;
  /** Whether it took place. */
  cas(register: string, expected: string | null, value: string): Promise<boolean>;
  /** Answers with the sum. */
  add(counter: string, by: number): Promise<number>;
  /** What an error says of a call that writes: null if the error is one that nobody should see. */
  outcomeOf(error: unknown): { outcome: 'failed' | 'unknown'; code: string } | null;
}

const WORKERS = 2;

/** Makes calls, one after the other in each worker, and notes how each came back. */
export class RegisterDesk implements Running {
  private readonly pace: Pace;
  /** What was seen of each register last, to expect it. */
  private readonly seen = new Map<string, string | null>();
  private operations = 0;

  constructor(
    private readonly ground: Ground<never> | Ground,
    private readonly calls: RegisterCalls,
  ) {
    this.pace = new Pace(ground.random, ground.rate, ground.fault);
    for (let index = 0; index < WORKERS; index += 1) {
      this.pace.work('a worker at registers', [80, 300], () => this.step());
    }
  }

  stop(): Promise<void> {
    return this.pace.stop();
  }

  private async step(): Promise<void> {
    const { random, process } = this.ground;
    const operation = `${process}/${(this.operations += 1)}`;
    if (random.chance(0.25)) {
      const counter = COUNTERS[random.int(0, COUNTERS.length - 1)]!;
      const by = random.int(1, 3);
      return this.noted(operation, counter, { call: 'add', by }, async () =>
        String(await this.calls.add(counter, by)),
      );
    }
    const register = REGISTERS[random.int(0, REGISTERS.length - 1)]!;
    const choice = random.next();
    if (choice < 0.45) {
      return this.noted(operation, register, { call: 'read' }, async () => {
        const value = await this.calls.read(register);
        this.seen.set(register, value);
        return value;
      });
    }
    const value = operation;
    if (choice < 0.7) {
      return this.noted(operation, register, { call: 'write', value }, async () => {
        await this.calls.write(register, value);
        this.seen.set(register, value);
        return null;
      });
    }
    const expected = this.seen.get(register) ?? null;
    return this.noted(operation, register, { call: 'cas', expected, value }, async () => {
      const done = await this.calls.cas(register, expected, value);
      if (done) this.seen.set(register, value);
      else this.seen.delete(register);
      return String(done);
    });
  }

  private async noted(
    operation: string,
    register: string,
    call: RegisterCall,
    make: () => Promise<string | null>,
  ): Promise<void> {
    const book = this.ground.book as { note(entry: EntryOf): void };
    book.note({ type: 'invoked', operation, register, ...call });
    try {
      const result = await make();
      book.note({ type: 'returned', operation, register, outcome: 'ok', result });
    } catch (error) {
      const told = this.calls.outcomeOf(error);
      if (!told) this.ground.fault(`a ${call.call} of ${register}`, error);
      // A read changes nothing, whatever became of it.
      const outcome = call.call === 'read' ? 'failed' : (told?.outcome ?? 'unknown');
      book.note({ type: 'returned', operation, register, outcome, code: told?.code ?? 'none' });
    }
  }
}

type EntryOf = RegisterNote extends infer N
  ? N extends RegisterNote
    ? Omit<N, 't' | 'process' | 'work'>
    : never
  : never;
