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
      zone: null,
      prefix: 'demo',
      ttlSeconds: 10,
      track: 'stable',
      snapshot: null,
      demo: false,
    });
  });

  it('takes several endpoints', () => {
    const { endpoints } = readSettings('demo-orders', 3001, { ETCD_ENDPOINTS: 'a:1, b:2,' });
    expect(endpoints).toEqual(['a:1', 'b:2']);
  });

  it('takes a zone', () => {
    expect(readSettings('demo-orders', 3001, { ZONE: 'eu-1' }).zone).toBe('eu-1');
  });

  it('keeps a snapshot, encrypted if there is a key', () => {
    const CONFIG_SNAPSHOT = '/var/lib/demo/snapshot';
    const CONFIG_SNAPSHOT_KEY = 'ab'.repeat(32);
    const plain = readSettings('demo-orders', 3001, { CONFIG_SNAPSHOT });
    expect(plain.snapshot).toEqual({ file: CONFIG_SNAPSHOT });
    const encrypted = readSettings('demo-orders', 3001, { CONFIG_SNAPSHOT, CONFIG_SNAPSHOT_KEY });
    expect(encrypted.snapshot).toEqual({
      file: CONFIG_SNAPSHOT,
      encryptionKey: CONFIG_SNAPSHOT_KEY,
    });
  });

  it.each(['secret', 'x'.repeat(64)])('does not repeat a key that is none: %s', (key) => {
    const env = { CONFIG_SNAPSHOT: 'snapshot', CONFIG_SNAPSHOT_KEY: key };
    expect(() => readSettings('demo-orders', 3001, env)).toThrow(
      `CONFIG_SNAPSHOT_KEY has ${key.length} characters: it must be 64 hexadecimal digits, as of "openssl rand -hex 32".`,
    );
  });

  it.each([
    ['PORT', 'http', 'PORT is "http": it must be a whole number from 1 to 65535.'],
    ['PORT', '0', 'PORT is "0": it must be a whole number from 1 to 65535.'],
    ['PORT', '65536', 'PORT is "65536": it must be a whole number from 1 to 65535.'],
    ['SESSION_TTL', '0', 'SESSION_TTL is "0": it must be a whole number from 1 to 3600.'],
    ['DEMO_PREFIX', 'a/b', 'DEMO_PREFIX is "a/b": use letters, digits, ".", "_" and "-" only.'],
    ['ZONE', 'a/b', 'ZONE is "a/b": use letters, digits, ".", "_" and "-" only.'],
    ['TRACK', 'a b', 'TRACK is "a b": use letters, digits, ".", "_" and "-" only.'],
    [
      'CONFIG_SNAPSHOT_KEY',
      'ab'.repeat(32),
      'CONFIG_SNAPSHOT_KEY is given, and CONFIG_SNAPSHOT names no file to encrypt.',
    ],
  ])('names %s when it is %s', (name, value, message) => {
    expect(() => readSettings('demo-orders', 3001, { [name]: value })).toThrow(message);
  });
});
