import { describe, expect, it } from 'vitest';
import { EtcdPermissionDeniedError, EtcdUnavailableError } from '../../client/etcd.errors.js';
import { ShareTrouble } from './share-trouble.js';

const PASSING = new EtcdUnavailableError('A put', 'away');
const FINAL = new EtcdPermissionDeniedError('A put', 'orders');

function troubleWith(...errors: (Error | null)[]): string[] {
  const said: string[] = [];
  const trouble = new ShareTrouble('orders', { warn: (text: string) => said.push(text) });
  for (const error of errors) {
    if (error) trouble.failed(error);
    else trouble.over();
  }
  return said;
}

describe('what keeps a process from telling of its share', () => {
  it('is said once when it comes again, and anew after it was over', () => {
    expect(troubleWith(PASSING)).toEqual([]);
    expect(troubleWith(PASSING, PASSING, PASSING)).toHaveLength(1);
    expect(troubleWith(PASSING, null, PASSING)).toEqual([]);
    expect(troubleWith(PASSING, PASSING, null, PASSING, PASSING)).toHaveLength(2);
  });

  it('is said at once where it is final, whatever came before', () => {
    expect(troubleWith(FINAL, FINAL)).toHaveLength(1);
    expect(troubleWith(PASSING, FINAL)).toEqual([expect.stringContaining(String(FINAL))]);
    expect(troubleWith(PASSING, PASSING, FINAL, FINAL, PASSING)).toHaveLength(2);
  });
});
