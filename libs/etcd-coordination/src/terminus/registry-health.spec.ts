import { expect, it } from 'vitest';
import type { CoordinationConnection } from '../module/coordination-connection.js';
import type { HealthWord } from '../registry/service-instance.js';
import { registryHealth } from './registry-health.js';

const OWN: HealthWord = { state: 'up', source: 'instance', by: 'a', reason: null };

function health(words: readonly HealthWord[], { registered = true, wanted = 'orders' } = {}) {
  const registration = { service: 'orders', id: 'a', registered, words: () => words };
  return registryHealth({
    parts: {
      registry: { registrations: words.length > 0 ? [registration] : [] },
      options: { registration: { name: wanted } },
    },
  } as unknown as CoordinationConnection);
}

it('shows the worst word, the first of equals', () => {
  const mark = { state: 'draining', source: 'op', by: 'b', reason: null } as const;
  const worse = { state: 'down', source: 'op2', by: 'c', reason: 'disk' } as const;
  expect(health([OWN])).toMatchObject({
    details: { registrations: [{ state: 'up', registered: true, word: OWN }] },
    ...{ down: [], degraded: [] },
  });
  expect(health([OWN, mark, worse, { ...worse, source: 'op3' }])).toMatchObject({
    details: { registrations: [{ state: 'down', word: worse }] },
    down: ['The instance "a" of the service "orders" is down, says "op2" (c): disk.'],
  });
});

it.each(['starting', 'draining', 'down'] as const)(
  'is down by its own word that it is %s',
  (state) => {
    const { down } = health([{ ...OWN, state }]);
    expect(down).toEqual([`The instance "a" of the service "orders" is ${state}, says itself.`]);
  },
);

it("is degraded by a prober's word, unless another one is as bad", () => {
  const probe = { state: 'down', source: 'probe', by: 'b', reason: '503' } as const;
  expect(health([OWN, probe])).toMatchObject({
    down: [],
    degraded: ['The instance "a" of the service "orders" is down, says "probe" (b): 503.'],
  });
  expect(health([{ ...OWN, state: 'down' }, probe])).toMatchObject({
    down: ['The instance "a" of the service "orders" is down, says itself.'],
    degraded: [],
  });
});

it('is degraded while an instance is not registered, or there is none of the service that was asked for', () => {
  expect(health([OWN], { registered: false }).degraded).toEqual([
    'The instance "a" of the service "orders" is not registered now.',
  ]);
  expect(health([]).degraded).toEqual([
    'The application is not registered as an instance of "orders".',
  ]);
});
