import { Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import type { Marked } from '../nest/marked-methods.js';
import type { ConfigChange } from './config-change.js';
import { differences } from './config-diff.js';
import type { ConfigMethods } from './config.explorer.js';
import type { WatchedConfig } from './watched-config.js';
import type { WatchMark } from './watched-member.js';

/** How many changes may wait for a slow method. Above it, the last two become one. */
const MOST_WAITING = 100;

/** Tells one method of one class of a configuration: each change in its turn, and the next when that has settled. */
export class ConfigMethodRunner {
  private readonly logger = new Logger('WatchConfig');
  private readonly waiting: ConfigChange[] = [];
  private subscription: Subscription | undefined;
  private turn: Promise<void> | null = null;

  constructor(
    private readonly target: ConfigMethods,
    private readonly method: Marked<WatchMark>,
    private readonly config: WatchedConfig,
  ) {}

  /** Which method of which class. */
  get name(): string {
    return `${this.target.className}.${String(this.method.name)}()`;
  }

  /** Begins with the present value. Resolves when the method has settled, whatever it did with it. */
  start(): Promise<void> {
    this.tell(this.config.present());
    this.subscription = this.config.changes$.subscribe((change) => this.tell(change));
    return this.idle();
  }

  /** Tells of no further change. Resolves when the one that is being told has settled. */
  stop(): Promise<void> {
    this.subscription?.unsubscribe();
    this.waiting.length = 0;
    return this.idle();
  }

  private async idle(): Promise<void> {
    await this.turn;
  }

  private tell(change: ConfigChange): void {
    if (this.waiting.length >= MOST_WAITING) {
      const { previous } = this.waiting.pop()!;
      const since = differences(previous, change.value);
      this.waiting.push(Object.freeze({ ...change, previous, differences: since }));
    } else {
      this.waiting.push(change);
    }
    this.turn ??= this.run();
  }

  private async run(): Promise<void> {
    for (let change = this.waiting.shift(); change; change = this.waiting.shift()) {
      await this.call(change);
    }
    this.turn = null;
  }

  private async call(change: ConfigChange): Promise<void> {
    try {
      const instances = await this.target.instances(change);
      await Promise.all(instances.map((instance) => this.callOn(instance, change)));
    } catch (error) {
      this.failed(`Nest could not make a ${this.target.className} for`, change, error);
    }
  }

  private async callOn(
    instance: Awaited<ReturnType<ConfigMethods['instances']>>[number],
    change: ConfigChange,
  ): Promise<void> {
    try {
      await instance[this.method.name]?.(change.value, change);
    } catch (error) {
      this.failed(`${this.name} failed for`, change, error);
    }
  }

  private failed(what: string, { key, revision }: ConfigChange, error: unknown): void {
    this.logger.error(
      `${what} the configuration "${key}" of revision ${revision}; the value stands, and the next change is told.`,
      error instanceof Error ? error.stack : error,
    );
  }
}
