import { expect, it } from 'vitest';
import { ClientClosedError } from '../../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { oursCode } from './ours-code.js';

it('is that of an error of the library, and of nothing that only looks like one', () => {
  expect(oursCode(new ClientClosedError('default'))).toBe('CLIENT_CLOSED');
  expect(oursCode(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).toBeNull();
  expect(oursCode({ code: 'CLIENT_CLOSED' })).toBeNull();
  expect(oursCode(undefined)).toBeNull();
});
