import { waitFor } from '../../../support/wait-for.js';
import { WorkerProcess, type WorkerMessage } from '../../../support/worker-process.js';
import { startCallerApp } from './caller-app.js';
import { Calling, type CallerOrder } from './calling.js';

/** An instance as a caller's list has it. */
export interface Listed {
  readonly id: string;
  readonly state: string;
  readonly lease: string;
}

type ListMessage = WorkerMessage & { readonly list: readonly Listed[] };

/** What a caller has done, from the order to begin to its end. */
export interface CallerReport {
  readonly GET: number;
  readonly POST: number;
  /** Of each instance, by its address: requests that were made, whatever became of them. */
  readonly requests: Readonly<Record<string, number>>;
}

/** One who calls the service, here or in a process of its own, by what it tells. */
export class Caller {
  private begunAt = 0;

  private constructor(
    readonly id: string,
    private readonly messages: readonly WorkerMessage[],
    private readonly send: (order: CallerOrder) => void,
    readonly close: () => Promise<void>,
  ) {}

  static async elsewhere(endpoints: readonly string[], id: string): Promise<Caller> {
    const worker = await WorkerProcess.start(new URL('./caller.worker.ts', import.meta.url), {
      args: [endpoints.join(), id],
    });
    await worker.message('list', { timeoutMs: 60_000 });
    return new Caller(
      id,
      worker.messages,
      (order) => worker.send(order),
      () => worker.kill(),
    );
  }

  /** In this process, where more can be seen of it. */
  static async here(endpoints: readonly string[], id: string) {
    const { discovery, close } = await startCallerApp(endpoints, id, false);
    const messages: WorkerMessage[] = [];
    const calling = new Calling(discovery, (message) => {
      messages.push({ ...message, at: performance.now() });
    });
    const caller = new Caller(
      id,
      messages,
      (order) => calling.obey(order),
      async () => {
        calling.close();
        await close();
      },
    );
    return { caller, discovery, calling };
  }

  begin(order: CallerOrder): void {
    this.begunAt = performance.now();
    this.send(order);
  }

  /** Makes no more calls; resolves when the last one has ended. */
  async end(): Promise<CallerReport> {
    const before = this.ofType('ended').length;
    this.send({});
    await waitFor(() => this.ofType('ended').length > before, {
      what: `the last call of ${this.id} to end`,
    });
    return this.ofType('ended').at(-1) as unknown as CallerReport;
  }

  /** The errors of calls that failed since it was told to begin. */
  get failures(): unknown[] {
    return this.ofType('failed')
      .filter(({ at }) => at > this.begunAt)
      .map(({ error }) => error);
  }

  get list(): readonly Listed[] {
    return this.lists.at(-1)!.list;
  }

  /** Every list that it was shown, with the moment. */
  get lists(): readonly ListMessage[] {
    return this.ofType('list') as ListMessage[];
  }

  private ofType(type: string): WorkerMessage[] {
    return this.messages.filter((message) => message['type'] === type);
  }
}
