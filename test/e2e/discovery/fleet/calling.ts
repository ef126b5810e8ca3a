import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Subscription } from 'rxjs';
import type { ServiceFetchInit } from '../../../../libs/etcd-coordination/src/discovery/call/service-fetch.js';
import type { ServiceDiscovery } from '../../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import { SERVICE } from './fleet-options.js';

export type Method = 'GET' | 'POST';

/** What a caller is told to do. */
export type CallerOrder =
  | { readonly begin: readonly Method[]; readonly strategy?: ServiceFetchInit['strategy'] }
  | { readonly begin?: never };

/** So many calls of each method at a time, with a pause between one and the next. */
const LANES = 4;
const PAUSE_MS = 10;

/** What undici says as it makes a request, before it has a connection. */
const REQUESTED = 'undici:request:create';

/** Calls a service all the time, by name, and tells what it sees of it: each list, each call that fails. */
export class Calling {
  /** Calls that were answered, by their method. */
  private answered = { GET: 0, POST: 0 };
  private lanes: Promise<unknown>[] = [];
  private isOver = true;
  /** Requests that were made of each instance, whatever became of them. */
  private requests: Record<string, number> = {};
  private readonly lists: Subscription;

  constructor(
    private readonly discovery: ServiceDiscovery,
    private readonly say: (message: object) => void,
  ) {
    subscribe(REQUESTED, this.requested);
    this.lists = discovery.instances$(SERVICE).subscribe((list) => {
      say({ type: 'list', list: list.map(({ id, state, lease }) => ({ id, state, lease })) });
    });
  }

  obey({ begin, ...choosing }: CallerOrder): void {
    if (!begin) return void this.end();
    this.isOver = false;
    this.answered = { GET: 0, POST: 0 };
    this.requests = {};
    this.lanes = begin.flatMap((method) =>
      Array.from({ length: LANES }, () => this.call({ ...choosing, method })),
    );
  }

  get calls(): number {
    return this.answered.GET + this.answered.POST;
  }

  /** Requests that were made so far of the instance at this address. */
  requestsOf(address: string): number {
    return this.requests[address] ?? 0;
  }

  close(): void {
    this.isOver = true;
    this.lists.unsubscribe();
    unsubscribe(REQUESTED, this.requested);
  }

  private async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.lanes);
    this.say({ type: 'ended', ...this.answered, requests: this.requests });
  }

  private async call(init: ServiceFetchInit & { readonly method: Method }): Promise<void> {
    while (!this.isOver) {
      try {
        const response = await this.discovery.fetch(`service://${SERVICE}/items`, init);
        const text = await response.text();
        if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
        this.answered[init.method] += 1;
      } catch (error) {
        this.say({ type: 'failed', error: `${init.method}: ${inspect(error)}` });
      }
      await pause(PAUSE_MS);
    }
  }

  private readonly requested = (message: unknown): void => {
    const { origin } = (message as { readonly request: { readonly origin: string } }).request;
    this.requests[origin] = this.requestsOf(origin) + 1;
  };
}
