import fc from 'fast-check';
import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { REVISIONS, VALUES } from './held-key.js';
import { difference } from './range-change.js';

/** What happens to a few keys: puts and deletes, each with the next revision. */
const change = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  isPut: fc.boolean(),
  value: fc.string({ maxLength: 3 }),
});
const changes = fc.array(change, { maxLength: 25 });
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

class Database {
  readonly keys = new Map<string, IKeyValue>();
  revision = 1;

  apply(all: readonly Change[]): this {
    for (const { key, isPut, value } of all) {
      this.revision += 1;
      const before = this.keys.get(key);
      if (isPut) this.keys.set(key, this.put(key, value, before));
      else this.keys.delete(key);
    }
    return this;
  }

  get list() {
    return { kvs: [...this.keys.values()], revision: BigInt(this.revision) };
  }

  private put(key: string, value: string, before: IKeyValue | undefined): IKeyValue {
    const mod_revision = String(this.revision);
    return {
      ...{ key: Buffer.from(key), value: Buffer.from(value), mod_revision, lease: '0' },
      create_revision: before?.create_revision ?? mod_revision,
      version: String(Number(before?.version ?? 0) + 1),
    };
  }
}

describe('the difference of a list to what was held', () => {
  it('leads from the one to the other, and names nothing twice', () => {
    fc.assert(
      fc.property(changes, changes, (earlier, later) => {
        const database = new Database().apply(earlier);
        const held = new Map(database.keys);
        const found = difference(held, database.apply(later).list, VALUES, true);
        const reached = new Map(held);
        for (const { type, key, kv, previous } of found) {
          expect(previous).toBe(held.get(key));
          if (type === 'put') reached.set(key, kv);
          else reached.delete(key);
        }
        expect(reached).toEqual(database.keys);
        expect(new Set(found.map(({ key }) => key)).size).toBe(found.length);
      }),
    );
  });

  it('tells puts in the order of their revisions, and deletes after them at that of the list', () => {
    fc.assert(
      fc.property(changes, changes, (earlier, later) => {
        const database = new Database().apply(earlier);
        const held = new Map(database.keys);
        const found = difference(held, database.apply(later).list, VALUES, true);
        const revisions = found.map(({ kv }) => Number(kv.mod_revision));
        expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
        for (const { type, kv } of found) {
          if (type === 'delete') expect(kv.mod_revision).toBe(String(database.revision));
        }
      }),
    );
  });

  it('is the same for those who hold revisions alone', () => {
    fc.assert(
      fc.property(changes, changes, (earlier, later) => {
        const database = new Database().apply(earlier);
        const held = new Map(database.keys);
        const revisions = new Map(
          [...held].map(([key, kv]) => [key, REVISIONS.keep(REVISIONS.own(kv))]),
        );
        const { list } = database.apply(later);
        const shown = (all: ReturnType<typeof difference>) =>
          all.map(({ type, key, kv }) => [type, key, kv.mod_revision]);
        expect(shown(difference(revisions, list, REVISIONS, true))).toEqual(
          shown(difference(held, list, VALUES, true)),
        );
      }),
    );
  });

  it('is nothing if nothing changed', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const { keys, list } = new Database().apply(all);
        expect(difference(keys, list, VALUES, true)).toEqual([]);
      }),
    );
  });
});
