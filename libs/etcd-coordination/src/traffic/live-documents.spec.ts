import { firstValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeConfigStore } from '../../../../test/support/fake-config-store.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { LiveDocuments } from './live-documents.js';
import { POLICY_KIND } from './resilience/policy-kind.js';
import { UnknownTrafficNameError } from './traffic.errors.js';

describe('a document that turns declared numbers', () => {
  const KEY = 'traffic/policies/stock';
  let store: FakeConfigStore;

  beforeEach(() => {
    store = new FakeConfigStore();
  });

  const stock = () =>
    new LiveDocuments(store.asStore, POLICY_KIND, { stock: { timeoutMs: 100 } }).of('stock');
  const push = (timeoutMs: number) => store.set(KEY, POLICY_KIND.read({ timeoutMs }));

  it('leaves them as they were declared until it is here', () => {
    const document = stock();
    expect(document.value.timeoutMs).toBe(100);
    push(200);
    expect(document.value.timeoutMs).toBe(200);
  });

  it('counts from the first moment if the snapshot has it while etcd is away', () => {
    push(200);
    expect(stock().value.timeoutMs).toBe(200);
  });

  it('tells who listens later of what comes then, when it is the value already', () => {
    push(200);
    const document = stock();
    const told: unknown[] = [];
    document.onChange(({ timeoutMs }) => told.push([timeoutMs, document.value.timeoutMs]));
    push(300);
    expect(told).toEqual([[300, 300]]);
  });

  it('leaves them as they were declared when the connection is closed', async () => {
    const follow = () => {
      throw new ClientClosedError('default');
    };
    const documents = new LiveDocuments({ follow }, POLICY_KIND, { stock: { timeoutMs: 100 } });
    const document = documents.of('stock');
    await document.ready();
    expect(document.value.timeoutMs).toBe(100);
    expect(await firstValueFrom(document.value$)).toBe(document.value);
    expect(() => documents.of('shop')).toThrow(UnknownTrafficNameError);
  });
});
