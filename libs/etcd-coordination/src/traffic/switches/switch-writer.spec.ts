import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigConflictError, ConfigInvalidError } from '../../config/config.errors.js';
import { SwitchWriter } from './switch-writer.js';

const ADA = { author: 'ada', reason: 'the search is down' };
const KEY = 'traffic/switches/x';

describe('what an operator says of a switch', () => {
  let shared: string | null;
  /** The layer of the operator's own instance. */
  let own: string | null;
  let conflicts: number;
  let written: { key: string; document: unknown; expected: unknown }[];
  let writer: SwitchWriter;

  beforeEach(() => {
    Logger.overrideLogger(false);
    [shared, own, conflicts, written] = [null, null, 0, []];
    const store = {
      get: async () => {
        const layers = [
          { layer: 'instance:orders-1', document: own },
          { layer: 'shared', document: shared },
        ].flatMap(({ layer, document }) =>
          document === null ? [] : [{ layer, value: parse(layer, document) }],
        );
        return { layers, revision: 9n };
      },
      history: async () => (shared === null ? [] : [{ document: shared, revision: 7n }]),
      set: async (key: string, document: unknown, options: { expectedRevision?: bigint }) => {
        if (conflicts > 0) {
          conflicts -= 1;
          throw conflict(key);
        }
        written.push({ key, document, expected: options.expectedRevision });
      },
    };
    writer = new SwitchWriter({ store: store as never }, { x: { auto: { errorRate: 0.5 } } });
  });

  const parse = (layer: string, document: string): unknown => {
    try {
      return JSON.parse(document);
    } catch {
      throw new ConfigInvalidError({ key: KEY, layer: layer as never, revision: 3n }, 'it is none');
    }
  };
  const conflict = (key: string) =>
    new ConfigConflictError({
      ...{ key, layer: 'shared', expected: 1n, revision: 2n, deleted: false },
      ...{ author: 'bob', at: null, reason: null },
    });
  const manual = { state: 'off', author: 'ada' };

  it('leaves what else the document says, though a layer of its own instance cannot be read', async () => {
    [shared, own] = ['{"priority":8,"auto":{"windowMs":5000}}', '{'];
    await writer.set('x', 'off', ADA);
    expect(written).toMatchObject([
      { document: { priority: 8, auto: { windowMs: 5000 }, manual }, expected: 7n },
    ]);
  });

  it('leaves the fields that are sound beside one that is not', async () => {
    shared = '{"priority":99,"auto":{"errorRate":0.3},"colour":"red","manual":7}';
    await writer.set('x', 'off', ADA);
    expect(written).toMatchObject([{ document: { auto: { errorRate: 0.3 }, manual } }]);
    expect(Object.keys(written[0]!.document as object)).toEqual(['auto', 'manual']);
  });

  it.each(['{', '[]'])('replaces a document that is none: %s', async (document) => {
    shared = document;
    await writer.set('x', 'off', ADA);
    expect(written).toMatchObject([{ document: { manual } }]);
  });

  it('comes through though others change the same at the same time, also of a class', async () => {
    conflicts = 2;
    await writer.set('x', 'off', ADA);
    conflicts = 2;
    await writer.cutFrom(5, ADA);
    expect(written.map(({ key }) => key)).toEqual([KEY, 'traffic/load']);
    conflicts = 9;
    await expect(writer.cutFrom(5, ADA)).rejects.toThrow(ConfigConflictError);
  });
});
