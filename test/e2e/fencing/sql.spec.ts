import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresServer, postgresPrograms } from '../../support/postgres-server.js';
import type { SqlSession } from '../../support/sql-session.js';
import { waitFor } from '../../support/wait-for.js';
import { fenceOf } from '../../support/fences.js';

/** The statements of the documentation, by their names. */
const SQL = Object.fromEntries(
  [
    ...readFileSync(new URL('../../../docs/fencing.md', import.meta.url), 'utf8').matchAll(
      /```sql\n-- name: (\w+)\n(.*?)```/gs,
    ),
  ].map(([, name, sql]) => [name, sql]),
) as Record<'table' | 'update' | 'upsert' | 'claim' | 'fences' | 'observe', string>;

const missing = postgresPrograms() === null;
// With CI=true the suite runs, and fails saying what is not installed.
const skipped = missing && process.env['CI'] !== 'true';
if (skipped) {
  process.stdout.write(
    'The SQL of docs/fencing.md is NOT tested: no PostgreSQL is installed (apt-get install postgresql).\n',
  );
}

const OLD = fenceOf('sku/1', 1_000).token;
const NEW = fenceOf('sku/1', 1_001).token;
const DONE = { sqlState: '00000', count: 1 };
const REFUSED = { sqlState: '00000', count: 0 };

describe.skipIf(skipped)('the SQL pattern for fences in PostgreSQL', () => {
  let server: PostgresServer;
  /** The holder that was frozen, and the one that got the lock after it. */
  let older: SqlSession;
  let newer: SqlSession;
  let operator: SqlSession;

  beforeAll(async () => {
    server = await PostgresServer.start();
    operator = server.connect();
  });
  beforeEach(async () => {
    older = server.connect();
    newer = server.connect();
    for (const sql of ['DROP TABLE IF EXISTS stock, fence', SQL.table, SQL.fences]) {
      expect(await operator.run(sql)).toMatchObject({ sqlState: '00000' });
    }
    await operator.run(`INSERT INTO stock VALUES ('1', 10, 0), ('2', 10, 0)`);
  });
  afterEach(async () => {
    await Promise.all([older, newer].map((session) => session.close()));
  });
  afterAll(async () => {
    await operator?.close();
    await server?.stop();
  });

  async function row(sku = '1'): Promise<string | undefined> {
    const { rows } = await operator.run(
      `SELECT available, fence_token FROM stock WHERE sku = '${sku}'`,
    );
    return rows[0];
  }

  /** Resolves when `count` connections wait for a lock on a row. */
  async function waiters(count: number): Promise<void> {
    await waitFor(
      async () => {
        const { rows } = await operator.run(
          `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
        );
        return rows[0] === `${count}`;
      },
      { what: 'a statement to wait for a row' },
    );
  }

  describe('a row with the token of its last write', () => {
    it('takes what its holder writes, time and again, and then what a newer one writes', async () => {
      expect(await older.execute(SQL.update, OLD, '1', 9)).toMatchObject(DONE);
      expect(await older.execute(SQL.update, OLD, '1', 8)).toMatchObject(DONE);
      expect(await newer.execute(SQL.update, NEW, '1', 7)).toMatchObject(DONE);
      expect(await row()).toBe(`7|${NEW}`);
    });

    it('refuses the late write of an older one', async () => {
      await newer.execute(SQL.update, NEW, '1', 7);
      expect(await older.execute(SQL.update, OLD, '1', 9)).toMatchObject(REFUSED);
      expect(await row()).toBe(`7|${NEW}`);
    });

    it('would take it without the comparison, which is what the tests are about', async () => {
      const unfenced = SQL.update.replace('AND fence_token <= $1', '');
      await newer.execute(unfenced, NEW, '1', 7);
      expect(await older.execute(unfenced, OLD, '1', 9)).toMatchObject(DONE);
      expect(await row()).toBe(`9|${OLD}`);
    });

    it('would refuse the second write of a holder, compared by less than', async () => {
      const strict = SQL.update.replace('<=', '<');
      expect(await older.execute(strict, OLD, '1', 9)).toMatchObject(DONE);
      expect(await older.execute(strict, OLD, '1', 8)).toMatchObject(REFUSED);
    });

    it('need not be there before', async () => {
      expect(await older.execute(SQL.upsert, OLD, '3', 5)).toMatchObject(DONE);
      expect(await older.execute(SQL.upsert, OLD, '3', 4)).toMatchObject(DONE);
      expect(await newer.execute(SQL.upsert, NEW, '3', 3)).toMatchObject(DONE);
      expect(await older.execute(SQL.upsert, OLD, '3', 9)).toMatchObject(REFUSED);
      expect(await row('3')).toBe(`3|${NEW}`);
    });

    it('keeps from the moment that it was read what an older one would change', async () => {
      expect(await newer.execute(SQL.claim, NEW, '1')).toMatchObject({ ...DONE, rows: ['10'] });
      expect(await older.execute(SQL.update, OLD, '1', 9)).toMatchObject(REFUSED);
      expect(await newer.execute(SQL.update, NEW, '1', 7)).toMatchObject(DONE);
      expect(await older.execute(SQL.claim, OLD, '1')).toMatchObject({ ...REFUSED, rows: [] });
    });

    it('refuses the older one that has waited for the newer to commit', async () => {
      await newer.run('BEGIN');
      await newer.execute(SQL.update, NEW, '1', 7);
      const late = older.execute(SQL.update, OLD, '1', 9);
      await waiters(1);
      await newer.run('COMMIT');
      expect(await late).toMatchObject(REFUSED);
      expect(await row()).toBe(`7|${NEW}`);
    });

    it('takes the older one that has waited for the newer, which was rolled back', async () => {
      await newer.run('BEGIN');
      await newer.execute(SQL.update, NEW, '1', 7);
      const late = older.execute(SQL.update, OLD, '1', 9);
      await waiters(1);
      await newer.run('ROLLBACK');
      expect(await late).toMatchObject(DONE);
      expect(await row()).toBe(`9|${OLD}`);
    });

    it.each(['REPEATABLE READ', 'SERIALIZABLE'])(
      'fails the older one under %s, which is refused when it tries again',
      async (isolation) => {
        await newer.run('BEGIN');
        await newer.execute(SQL.update, NEW, '1', 7);
        await older.run(`BEGIN ISOLATION LEVEL ${isolation}`);
        const late = older.execute(SQL.update, OLD, '1', 9);
        await waiters(1);
        await newer.run('COMMIT');
        expect(await late).toMatchObject({ sqlState: '40001' });
        await older.run('ROLLBACK');

        await older.run(`BEGIN ISOLATION LEVEL ${isolation}`);
        expect(await older.execute(SQL.update, OLD, '1', 9)).toMatchObject(REFUSED);
        await older.run('ROLLBACK');
        expect(await row()).toBe(`7|${NEW}`);
      },
    );

    it('takes no token that its column cannot hold', async () => {
      const { token } = fenceOf('sku/1', 2n ** 43n);
      expect(await newer.execute(SQL.update, token, '1', 7)).toMatchObject({ sqlState: '22003' });
      expect(await row()).toBe('10|0');
      await operator.run('ALTER TABLE stock ALTER fence_token TYPE numeric(25)');
      const largest = fenceOf('sku/1', 2n ** 63n - 1n, 2 ** 20 - 1).token;
      expect(await newer.execute(SQL.update, largest, '1', 7)).toMatchObject(DONE);
      expect(await row()).toBe(`7|${largest}`);
    });
  });

  describe('a table of fences', () => {
    /** What a holder does under its lock, begun by the fence. */
    async function transaction(session: SqlSession, token: bigint, ...sql: string[]) {
      await session.run('BEGIN');
      const { count } = await session.execute(SQL.observe, token, 'lock/sku/1');
      for (const statement of count === 1 ? sql : []) await session.run(statement);
      await session.run(count === 1 ? 'COMMIT' : 'ROLLBACK');
      return count === 1;
    }

    it('guards what has several rows', async () => {
      const set = (n: number) => `UPDATE stock SET available = ${n}`;
      expect(await transaction(older, OLD, set(9))).toBe(true);
      expect(await transaction(older, OLD, set(8))).toBe(true);
      expect(await transaction(newer, NEW, set(7))).toBe(true);
      expect(await transaction(older, OLD, set(9))).toBe(false);
      expect([await row('1'), await row('2')]).toEqual(['7|0', '7|0']);
    });

    it('remembers what was deleted, which a row cannot', async () => {
      await newer.execute(SQL.update, NEW, '1', 7);
      await newer.run(`DELETE FROM stock WHERE sku = '1'`);
      expect(await older.execute(SQL.upsert, OLD, '1', 9)).toMatchObject(DONE);

      expect(await transaction(newer, NEW, `DELETE FROM stock WHERE sku = '1'`)).toBe(true);
      expect(await transaction(older, OLD, `INSERT INTO stock VALUES ('1', 9, 0)`)).toBe(false);
      expect(await row()).toBeUndefined();
    });

    it('has an older and a newer one run one after the other', async () => {
      await older.run('BEGIN');
      await older.execute(SQL.observe, OLD, 'lock/sku/1');
      const claimed = newer.run('BEGIN').then(() => newer.execute(SQL.observe, NEW, 'lock/sku/1'));
      await waiters(1);
      await older.run(`UPDATE stock SET available = 9 WHERE sku = '1'`);
      await older.run('COMMIT');
      expect(await claimed).toMatchObject(DONE);
      // What the older one has done is seen, and no more of it comes.
      expect((await newer.run(`SELECT available FROM stock WHERE sku = '1'`)).rows).toEqual(['9']);
      const late = older.execute(SQL.observe, OLD, 'lock/sku/1');
      await waiters(1);
      await newer.run('COMMIT');
      expect(await late).toMatchObject(REFUSED);
    });
  });
});
