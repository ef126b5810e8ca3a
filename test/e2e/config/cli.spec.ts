import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { enableAuth, keysUnder, leases, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { callConfig, spawnConfig } from '../../support/config-command.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { freePort } from '../../support/free-port.js';
import { synHole } from '../../support/syn-hole.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';

const [line] = await availableEtcdLines();

describe('npm run config', () => {
  let endpoint: string;
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    if (line) {
      const server = await EtcdServer.start({ line });
      [endpoint, stop] = [server.endpoint, () => server.kill()];
    } else {
      const server = await EmbeddedEtcd.start({ logger: false });
      [endpoint, stop] = [server.endpoint, () => server.close()];
    }
  });
  afterAll(() => stop?.());

  const start = (args: readonly string[], env: Record<string, string> = {}, input?: string) =>
    callConfig(args, { ETCD_ENDPOINTS: endpoint, ...env }, input);
  const run = (args: readonly string[], input?: string, env?: Record<string, string>) =>
    start(args, env, input).ended;

  const json = async (...args: string[]): Promise<any> => {
    const { code, out, err } = await run([...args, '--json']);
    expect(err).toBe('');
    expect(code).toBe(0);
    return JSON.parse(out);
  };

  it('sets, shows, lists, sets back and deletes, under the demo’s keys', async () => {
    expect((await run(['list'])).out).toMatch(/no configurations in the namespace demo\b/);
    const set = await run([
      'set',
      'prices',
      '{"tea": 1}',
      '--reason',
      'opening',
      '--author',
      'ada',
    ]);
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).toMatch(/^Set prices, layer shared: version 1, revision \d+\.\n$/);
    const key = 'demo/config/prices/live/layer/shared';
    expect(await keysUnder(endpoint, key)).toMatchObject([{ value: '{"tea": 1}' }]);
    await run(['set', 'prices', '{"tea": 2}', '--layer', 'zone:eu', '--author', 'bob']);
    await run(['set', 'prices', '{"tea": 3, "cake": 4}']);

    const got = await run(['get', 'prices']);
    expect(got.out).toMatch(/^\{\n {2}"tea": 3,\n {2}"cake": 4\n\}\n\n/);
    expect(got.out).toMatch(/^shared +\d+ +yes +2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC +\S+ +-$/m);
    expect(got.out).toMatch(/^zone:eu +\d+ +no .* bob +-$/m);
    // No colours where nobody sees them.
    expect(got.out).not.toContain('\u001b');
    const merged = await json('get', 'prices', '--zone', 'eu');
    expect(merged).toMatchObject({ key: 'prices', value: { tea: 2, cake: 4 }, format: 'json' });
    // Not older than what it is made of: to be given to --expect.
    expect(Number(merged.revision)).toBeGreaterThanOrEqual(Number(merged.layers[0].revision));
    expect(merged.layers).toMatchObject([
      { layer: 'shared', merged: true, document: '{"tea": 3, "cake": 4}' },
      { layer: 'zone:eu', merged: true, author: 'bob' },
    ]);
    expect(await run(['get', 'prices', '--layer', 'zone:eu'])).toMatchObject({
      ...{ code: 0, out: '{"tea": 2}\n', err: '' },
    });

    const history = await run(['history', 'prices']);
    expect(history.out.split('\n')).toEqual([
      expect.stringMatching(/^VERSION +REVISION +WHEN +WHO +WHY +DOCUMENT$/),
      expect.stringMatching(/^2 \* +\d+ .* UTC +\S+ +- +\{"tea": 3, "cake": 4\}$/),
      expect.stringMatching(/^1 +\d+ .* UTC +ada +opening +\{"tea": 1\}$/),
      '',
    ]);
    expect(await json('history', 'prices', '--limit', '1')).toMatchObject([
      { sequence: 2, current: true, revision: expect.stringMatching(/^\d+$/), reason: null },
    ]);

    const back = await run(['rollback', 'prices', '1', '--reason', 'too dear']);
    expect(back.out).toMatch(/^Set back prices, layer shared, to version 1: it is version 3 now/);
    expect((await json('history', 'prices'))[0]).toMatchObject({
      reason: 'rollback to 1: too dear',
    });
    expect((await run(['list'])).out).toMatch(/^prices +\d+ +shared, zone:eu$/m);
    expect(await json('list')).toMatchObject([
      { key: 'prices', layers: [{ layer: 'shared' }, { layer: 'zone:eu' }] },
    ]);

    expect((await run(['delete', 'prices', '--layer', 'zone:eu'])).out).toMatch(/^Deleted prices/);
    await run(['delete', 'prices', '--author', 'eve']);
    const gone = await run(['get', 'prices']);
    expect(gone).toMatchObject({ code: 1, out: '' });
    expect(gone.err).toMatch(/was deleted by eve, .* npm run config -- history prices\n$/);
    await putKey(endpoint, key, '"by hand"');
    const read = await json('get', 'prices');
    expect(await run(['set', 'prices', '5', '--expect', read.revision])).toMatchObject({ code: 0 });
    await putKey(endpoint, key, '"by hand"');
    expect((await run(['get', 'prices'])).out).toMatch(/^shared .* - +\(past the library\) +-$/m);
    // It took no lease for any of that.
    expect(await leases(endpoint)).toEqual([]);
  });

  it('takes documents from files and from stdin, in any format, and keeps their comments', async () => {
    const file = join(tempFolder('cli'), 'motd.yaml');
    writeFileSync(file, '# greets\ntext: Good day # friendly\n');
    expect(await run(['set', 'motd', `@${file}`, '--format', 'yaml'])).toMatchObject({ code: 0 });
    expect(await json('get', 'motd')).toMatchObject({
      ...{ format: 'yaml', value: { text: 'Good day' } },
    });
    const { out } = await run(['get', 'motd', '--layer', 'shared']);
    expect(out).toBe('# greets\ntext: Good day # friendly\n');
    await run(['set', 'motd', '-'], out.replace('day', 'night'));
    expect((await json('get', 'motd')).layers[0].document).toBe(out.replace('day', 'night'));
    await run(['set', 'name', '@@at', '--format', 'text']);
    expect((await run(['get', 'name'])).out).toMatch(/^@at\n/);
    expect(await run(['set', 'name', '--', '-5'])).toMatchObject({ code: 0 });
    const none = await run(['set', 'name', '@/no/such/file']);
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.err).toMatch(/"\/no\/such\/file" cannot be read: there is none/);
  });

  it('refuses with a sentence, and with 1', async () => {
    const first = await json('set', 'limits', '1', '--author', 'ada', '--expect', '0');
    await run(['set', 'limits', '2', '--author', 'ada']);
    const cases: [string[], RegExp][] = [
      [['set', 'limits', '3', '--expect', first.revision], /changed by ada at 2.*after revision/],
      [['set', 'limits', '{"a":'], /invalid: .*line 1.*--format yaml or --format text/],
      [['set', 'limits', '-'], /"-" reads the document from stdin, and nothing came/],
      [['rollback', 'limits', '9'], /version 9: there never was such a version; .* back to 1\./],
      [['delete', 'limits', '--layer', 'zone:eu'], /no document in its layer "zone:eu"/],
      [['get', 'limit'], /no configuration "limit".*Did you mean "limits"\?/],
      [['get', 'limits', '--layer', 'zone:eu'], /no document in its layer zone:eu; it has: shared/],
      [['release', 'pause', 'limits'], /no release under way to pause/],
    ];
    for (const [args, sentence] of cases) {
      const ended = await run(args);
      expect(ended).toMatchObject({ code: 1, out: '' });
      expect(ended.err).toMatch(sentence);
      expect(ended.err.trim().split('\n')).toHaveLength(1);
    }
    const { code, err } = await run(['rollback', 'limits', '9', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'CONFIG_VERSION_UNAVAILABLE' } });
    expect(await json('get', 'limits')).toMatchObject({ value: 2 });
  });

  it('starts a release, holds it, shows it, and takes it back or gives it to everybody', async () => {
    const document = '# new\nrate: 2\n';
    await run(['set', 'rates', '# old\nrate: 1\n', '--format', 'yaml']);
    expect((await run(['release', 'status', 'rates'])).out).toBe('rates never had a release.\n');
    const started = await run([
      ...['release', 'start', 'rates', document, '--format', 'yaml', '--steps', '50,100'],
      ...['--label', 'canary=yes', '--observe', '90s', '--reason', 'autumn', '--author', 'ada'],
    ]);
    expect(started).toMatchObject({ code: 0, err: '' });
    expect(started.out).toMatch(/^rates, layer shared +release /);
    expect(started.out).toMatch(/^by ada: autumn\nrolling, step 0 of 3/m);
    const again = await run(['release', 'start', 'rates', 'rate: 3', '--format', 'yaml']);
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.err).toMatch(/release under way already/);
    expect((await run(['release', 'pause', 'rates'])).out).toMatch(/^paused, step 0 of 3/m);
    expect(await json('release', 'status', 'rates')).toMatchObject({
      ...{ state: 'paused', labels: { canary: 'yes' }, author: 'ada', canaries: [] },
    });
    expect((await run(['release', 'resume', 'rates'])).out).toMatch(/^rolling/m);

    const following = start(['release', 'status', 'rates', '--follow']);
    await waitFor(() => /rolling, step 0 of 3/.test(following.seen()), {
      what: 'the follower to see it',
    });
    const promoted = await run(['release', 'promote', 'rates', '--author', 'bob']);
    expect(promoted.out).toMatch(/^promoted/m);
    const followed = await following.ended;
    expect(followed).toMatchObject({ code: 0, err: '' });
    expect(followed.out.trim().split('\n').at(-1)).toMatch(/promoted/);
    expect((await json('history', 'rates'))[0]).toMatchObject({ document, sequence: 2 });

    const doomed = start([
      ...['release', 'start', 'rates', 'rate: 9', '--format', 'yaml', '--follow'],
    ]);
    await waitFor(() => /rolling/.test(doomed.seen()), { what: 'the release to be told' });
    await run(['release', 'abort', 'rates', '--reason', 'it was a mistake']);
    const { code, out } = await doomed.ended;
    expect(code).toBe(1);
    expect(out.trim().split('\n').at(-1)).toMatch(/aborted.*it was a mistake/);
    expect(await json('get', 'rates')).toMatchObject({ value: { rate: 2 } });
    const invalid = await run(['release', 'start', 'rates', '1', '--steps', '50,20,100']);
    expect(invalid).toMatchObject({ code: 2 });
    expect(invalid.err).toMatch(/each step must be larger/);
  });

  it('keeps to its namespace, and to as many versions as it is told', async () => {
    const there = ['--namespace', 'shop/coordination'];
    for (const value of ['1', '2', '3']) await run(['set', 'x', value, '--keep', '2', ...there]);
    expect((await keysUnder(endpoint, 'shop/coordination/config/x/live')).length).toBe(1);
    expect(await json('history', 'x', ...there)).toMatchObject([{ sequence: 3 }, { sequence: 2 }]);
    const { out } = await run(['list', '--json'], '', { DEMO_PREFIX: 'other' });
    expect(JSON.parse(out)).toEqual([]);
    const { err, code } = await run(['list'], '', { DEMO_PREFIX: 'a/b' });
    expect(code).toBe(2);
    expect(err).toMatch(/DEMO_PREFIX/);
  });

  it(
    'does all that as a process, too, for a person and for a pipe',
    { timeout: 90_000 },
    async () => {
      const spawned = (args: string[], input?: string) =>
        spawnConfig(args, { ETCD_ENDPOINTS: endpoint }, input);
      const set = await spawned(['set', 'piped', '-', '--format', 'yaml'], '# why\na: 1\n');
      expect(set).toMatchObject({ code: 0, err: '' });
      expect(set.out).toMatch(/^Set piped, layer shared: version 1, revision \d+\.\n$/);
      const got = await spawned(['get', 'piped', '--layer', 'shared']);
      expect(got).toEqual({ code: 0, out: '# why\na: 1\n', err: '' });
      const stale = await spawned(['set', 'piped', 'a: 2', '--expect', '1', '--json']);
      expect(stale).toMatchObject({ code: 1, out: '' });
      expect(JSON.parse(stale.err)).toMatchObject({ error: { code: 'CONFIG_CONFLICT' } });
      const wrong = await spawned(['sett', 'piped']);
      expect(wrong).toMatchObject({ code: 2, out: '' });
      expect(wrong.err).toMatch(/^There is no command "sett"\. Did you mean "set"\?/);
      const away = `127.0.0.1:${await freePort()}`;
      const lost = await spawned(['history', 'piped', '--endpoints', away]);
      expect(lost).toMatchObject({ code: 1, out: '' });
      expect(lost.err).toMatch(/^etcd cannot be reached \(.*\n$/);
      expect((await spawned(['history', 'piped'])).out.split('\n')[1]).toMatch(
        /^1 \* .* # why a: 1$/,
      );
    },
  );

  it('says in one sentence that etcd is away', async () => {
    const refused = `127.0.0.1:${await freePort()}`;
    const ended = await run(['get', 'prices', '--endpoints', refused]);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.err).toBe(
      `etcd cannot be reached (http://${refused}: refused); start it, or name another one with ETCD_ENDPOINTS or --endpoints.\n`,
    );
    const hole = await synHole();
    try {
      const silent = await run(['set', 'prices', '1'], '', { ETCD_ENDPOINTS: hole.url });
      expect(silent).toMatchObject({ code: 1, out: '' });
      expect(silent.err).toMatch(/^etcd cannot be reached \(.*timed-out\); start it.*\n$/);
    } finally {
      await hole.close();
    }
  });

  it.runIf(line)('signs in as ETCD_USER', async () => {
    const server = await EtcdServer.start({ line: line! });
    try {
      await enableAuth(server.endpoint, 'secret', [
        { name: 'ops', password: 'a:b', prefix: 'demo/' },
      ]);
      const as = (user: string) =>
        run(['set', 'prices', '1'], '', { ETCD_ENDPOINTS: server.endpoint, ETCD_USER: user });
      expect(await as('ops:a:b')).toMatchObject({ code: 0 });
      expect(await as('ops:wrong')).toMatchObject({
        ...{ code: 1, err: expect.stringMatching(/wrong-password/) },
      });
    } finally {
      await server.kill();
    }
  });
});
