import { describe, expect, it } from 'vitest';
import { callPolicy } from './call-policy.js';
import type { ServiceName } from './grpc-services.js';

const put = { request_put: { key: 'k' } };
const range = { request_range: { key: 'k' } };
const deletion = { request_delete_range: { key: 'k' } };

describe('what may be repeated', () => {
  it.each<[ServiceName, string]>([
    ['KV', 'range'],
    ['Lease', 'leaseRevoke'],
    ['Lease', 'leaseTimeToLive'],
    ['Lease', 'leaseLeases'],
    ['Cluster', 'memberList'],
    ['Maintenance', 'status'],
    ['Auth', 'authenticate'],
  ])('%s.%s', (service, method) => {
    expect(callPolicy(service, method, {}).repeatable).toBe(true);
  });

  it.each<[ServiceName, string]>([
    ['KV', 'put'],
    ['KV', 'deleteRange'],
    ['KV', 'compact'],
    ['Lease', 'leaseGrant'],
    ['Cluster', 'memberAdd'],
    ['Maintenance', 'moveLeader'],
    ['Maintenance', 'alarm'],
    ['Auth', 'userAdd'],
    ['KV', 'somethingNew'],
  ])('not %s.%s', (service, method) => {
    expect(callPolicy(service, method, {}).repeatable).toBe(false);
  });

  it.each([
    ['no operation at all', {}],
    ['reads on both branches', { success: [range], failure: [range, range] }],
    [
      'reads in a transaction within',
      { success: [{ request_txn: { success: [range], failure: [] } }] },
    ],
  ])('a transaction of %s', (_, request) => {
    expect(callPolicy('KV', 'txn', request).repeatable).toBe(true);
  });

  it.each([
    ['a put', { success: [put] }],
    ['a put in its else branch', { success: [range], failure: [put] }],
    ['a deletion among reads', { success: [range, deletion, range] }],
    ['a put in a transaction within', { success: [{ request_txn: { failure: [range, put] } }] }],
    ['an operation that is not known', { success: [{}] }],
  ])('not a transaction with %s', (_, request) => {
    expect(callPolicy('KV', 'txn', request).repeatable).toBe(false);
  });
});

it.each<[ServiceName, string, object, string]>([
  ['KV', 'range', {}, 'read'],
  ['KV', 'put', {}, 'write'],
  ['KV', 'txn', { success: [range] }, 'read'],
  ['KV', 'txn', { success: [put] }, 'write'],
  ['Lease', 'leaseGrant', {}, 'registration'],
  ['Lease', 'leaseRevoke', {}, 'write'],
])('%s.%s %j has the deadline of a %s', (service, method, request, timeout) => {
  expect(callPolicy(service, method, request).timeout).toBe(timeout);
});
