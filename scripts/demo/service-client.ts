import type { HoldView } from '../../apps/demo-inventory/src/demo-hold.controller.js';
import type { Recommendation } from '../../apps/demo-orders/src/recommendations.service.js';
import type { TrafficView } from '../../apps/demo-orders/src/traffic.controller.js';
import type { Prices } from '../../apps/demo-shared/src/config/prices.config.js';
import type { Reservation, StockItem } from '../../apps/demo-shared/src/data/model.js';
import type {
  ConfigurationView,
  ConfigView,
} from '../../apps/demo-shared/src/http/config.controller.js';
import type { CoordinationView } from '../../apps/demo-shared/src/http/coordination.controller.js';
import type { FreezeReport } from '../../apps/demo-shared/src/reconcile/freeze.service.js';

/** An answer that was no good. */
export class RefusedCall extends Error {
  constructor(
    what: string,
    readonly status: number,
    text: string,
    /** After how many seconds to come again, if the answer says so. */
    readonly retryAfterSeconds: number | null,
  ) {
    super(`${what}: ${status} ${text}`);
  }
}

/** Calls one process of a service over HTTP. */
export class ServiceClient {
  constructor(readonly url: string) {}

  coordination(): Promise<CoordinationView> {
    return this.call('GET', '/coordination');
  }

  /** What `GET /health` says: `ok`, or `degraded` if it serves and something is not as it should be. */
  async health(): Promise<string> {
    const { status }: { status: string } = await this.call('GET', '/health');
    return status;
  }

  /** A configuration, as the process has it now. */
  async config<T>(key: string): Promise<ConfigurationView<T>> {
    const { configurations }: ConfigView = await this.call('GET', '/config');
    const view = configurations.find((configuration) => configuration.key === key);
    if (!view) throw new Error(`${this.url}/config knows of no ${key}.`);
    return view as ConfigurationView<T>;
  }

  prices(): Promise<Prices> {
    return this.call('GET', '/prices');
  }

  /** How the limit and the switch of demo-orders stand in the process. */
  traffic(): Promise<TrafficView> {
    return this.call('GET', '/traffic');
  }

  recommendations(orderId: string): Promise<Recommendation> {
    return this.call('GET', `/orders/${orderId}/recommendations`);
  }

  setStock(sku: string, quantity: number): Promise<StockItem> {
    return this.call('PUT', `/stock/${sku}`, { quantity });
  }

  stock(sku: string): Promise<StockItem> {
    return this.call('GET', `/stock/${sku}`);
  }

  /** Has pieces set aside under a name of the customer's own. */
  reserve(id: string, sku: string, quantity: number): Promise<Reservation> {
    return this.call('POST', '/reservations', { sku, quantity }, { 'idempotency-key': id });
  }

  /** Holds up the next reservation between reading and writing. */
  hold(): Promise<HoldView> {
    return this.call('POST', '/demo/hold');
  }

  held(): Promise<HoldView> {
    return this.call('GET', '/demo/hold');
  }

  /** Takes until the process is awake again. */
  freeze(ms: number): Promise<FreezeReport> {
    return this.call('POST', `/demo/freeze?ms=${ms}`);
  }

  /** @throws RefusedCall for an answer outside of 2xx */
  async call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      // A connection that is kept open would keep a process that ends waiting for it.
      headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) {
      const wait = response.headers.get('retry-after');
      const what = `${method} ${this.url}${path}`;
      throw new RefusedCall(what, response.status, text, wait === null ? null : Number(wait));
    }
    return JSON.parse(text) as T;
  }
}
