import { Logger } from '@nestjs/common';
import type { IEvent } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { settle } from '../../../../test/support/virtual-clock.js';
import { systemClock } from '../client/clock.js';
import { configLayerKey } from '../client/keys.js';
import type { RangeWatchHandlers } from '../watch/range-watch.js';
import type { ConfigRejection } from './config-change.js';
import { ConfigDeclarations, readDeclaration } from './config-declarations.js';
import { ConfigFollower } from './config-follower.js';
import type { ConfigGround } from './config-ground.js';
import { ConfigInvalidError } from './config.errors.js';

/** Deeper than a comparison can follow; a schema's Map is nobody's to copy, so it is compared as it is. */
const TOO_DEEP = 50_000;

const Nested = z.object({ depth: z.number(), leaf: z.string() });
function nested({ depth, leaf }: z.infer<typeof Nested>): unknown {
  let value: unknown = leaf;
  for (let level = 0; level < depth; level += 1) value = new Map([['in', value]]);
  return value;
}

describe('a configuration whose value cannot be compared with the one before', () => {
  let watch: RangeWatchHandlers;
  let revision: number;
  let rejections: ConfigRejection[];
  let follower: ConfigFollower;

  beforeEach(() => {
    revision = 10;
    rejections = [];
    for (const level of ['error', 'log'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
  });
  afterEach(() => {
    follower.close();
    vi.restoreAllMocks();
  });

  async function follow(schema: z.ZodType): Promise<void> {
    const header = { revision: `${revision}`, cluster_id: '1' };
    const ground = {
      client: {
        clock: systemClock,
        isAwaited: false,
        options: { connection: 'test', timeouts: { connect: 1000, read: 1000 } },
        range: async () => ({ kvs: [put({ depth: TOO_DEEP, leaf: 'first' }).kv], header }),
      },
      watch: {
        watch: (_range: unknown, _start: unknown, handlers: RangeWatchHandlers) => {
          watch = handlers;
          return { cancel: () => undefined };
        },
      },
      namespace: 'ns',
      identity: { instanceId: 'a', labels: {} },
      declarations: new ConfigDeclarations(),
      checkIntervalMs: 0,
    };
    follower = new ConfigFollower(
      ground as unknown as ConfigGround,
      readDeclaration('prices', { schema }),
      { rejected: (rejection) => rejections.push(rejection), follow: () => () => undefined },
    );
    follower.start();
    watch.standing(BigInt(revision), false, '1');
    await follower.ready();
  }

  async function push(document: z.infer<typeof Nested>): Promise<void> {
    revision += 1;
    watch.events([put(document)]);
    await settle();
  }

  function put(document: z.infer<typeof Nested>): IEvent {
    return {
      type: 'Put',
      kv: {
        key: Buffer.from(configLayerKey('ns', 'prices', ['shared'])),
        value: Buffer.from(JSON.stringify(document)),
        ...{ mod_revision: `${revision}`, create_revision: '5', version: '1', lease: '0' },
      },
    } as IEvent;
  }

  it.each([
    ['at once', Nested.transform(nested)],
    ['later', Nested.transform(async (document) => nested(await Promise.resolve(document)))],
  ])('keeps its last good value where the schema answers %s, and goes on', async (_, schema) => {
    await follow(schema);
    const good = follower.value;
    await push({ depth: TOO_DEEP, leaf: 'second' });

    expect(rejections).toHaveLength(1);
    expect(rejections[0]).toMatchObject({ key: 'prices', revision: 11n });
    expect(rejections[0]!.error).toBeInstanceOf(ConfigInvalidError);
    expect(rejections[0]!.error.message).toContain('it could not be read; see the cause');
    expect(rejections[0]!.error.cause).toBeInstanceOf(RangeError);
    expect(follower.value).toBe(good);
    expect(follower.status()).toMatchObject({ rejected: rejections[0], revision: 10n });

    await push({ depth: 0, leaf: 'third' });
    expect(follower.value).toBe('third');
    expect(follower.status()).toMatchObject({ rejected: null, revision: 12n });
  });
});
