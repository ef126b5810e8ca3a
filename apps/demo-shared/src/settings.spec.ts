import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.js';

describe('readSettings', () => {
  it('needs no environment', () => {
    expect(readSettings('demo-orders', 3001, {})).toMatchObject({
      service: 'demo-orders',
      host: '127.0.0.1',
      port: 3001,
      address: 'http://127.0.0.1:3001',
      endpoints: ['127.0.0.1:2379'],
      prefix: 'demo',
      ttlSeconds: 10,
      demo: false,
    });
  });

  it('takes several endpoints', () => {
    const { endpoints } = readSettings('demo-orders', 3001, { ETCD_ENDPOINTS: 'a:1, b:2,' });
    expect(endpoints).toEqual(['a:1', 'b:2']);
  });

  it.each([
    ['PORT', 'http', 'PORT is "http": it must be a whole number from 0 to 65535.'],
    ['PORT', '65536', 'PORT is "65536": it must be a whole number from 0 to 65535.'],
    ['SESSION_TTL', '0', 'SESSION_TTL is "0": it must be a whole number from 1 to 3600.'],
    ['DEMO_PREFIX', 'a/b', 'DEMO_PREFIX is "a/b": use letters, digits, ".", "_" and "-" only.'],
  ])('names %s when it is %s', (name, value, message) => {
    expect(() => readSettings('demo-orders', 3001, { [name]: value })).toThrow(message);
  });
});
