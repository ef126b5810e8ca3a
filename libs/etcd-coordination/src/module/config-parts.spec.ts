import { describe, expect, it } from 'vitest';
import { configParts, identityOf } from './config-parts.js';
import { validateOptions } from './validate-options.js';

const endpoints = ['127.0.0.1:2379'];

describe('what a connection has of configuration', () => {
  it('is for the instance, its service and zone, and labelled with its metadata and version', () => {
    const service = { name: 'orders', zone: 'eu', version: '1.2', metadata: { ring: 'early' } };
    const options = validateOptions({ endpoints, instanceId: 'me', service });

    expect(identityOf(options)).toEqual({
      instanceId: 'me',
      service: 'orders',
      zone: 'eu',
      labels: { ring: 'early', version: '1.2' },
    });
  });

  it('is for the instance alone where nothing is said of a service', () => {
    expect(identityOf(validateOptions({ endpoints, instanceId: 'me' }))).toEqual({
      instanceId: 'me',
      labels: {},
    });
  });

  it('goes by the options', () => {
    const options = validateOptions({
      endpoints,
      namespace: 'ns',
      config: { historyLimit: 7 },
      watch: { checkIntervalMs: 1234 },
    });
    const nothing = {} as never;
    const { store, releases } = configParts(nothing, nothing, nothing, nothing, null, options);

    expect(store).toMatchObject({
      ground: { namespace: 'ns', checkIntervalMs: 1234, identity: identityOf(options) },
      parts: { publisher: { settings: { namespace: 'ns', historyLimit: 7 } }, releases },
    });
    expect(releases).toMatchObject({ ground: { namespace: 'ns', historyLimit: 7 } });
  });
});
