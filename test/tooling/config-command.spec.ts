import { describe, expect, it } from 'vitest';
import { callConfig } from '../support/config-command.js';

/** What is said without etcd. */
describe('npm run config', () => {
  const run = (args: string[]) => callConfig(args, { ETCD_ENDPOINTS: 'nowhere.invalid:1' }).ended;

  it('says what it did not understand, and what may be meant, with 2', async () => {
    const cases: [string[], RegExp][] = [
      [['gte', 'x'], /no command "gte"\. Did you mean "get"\?/],
      [['release', 'stat', 'x'], /no command "release stat"\. Did you mean "status"\?/],
      [['release'], /needs one of start, status/],
      [['get', 'x', '--laier', 'shared'], /no option --laier\. Did you mean "--layer"\?/],
      [['get', 'x', '--reason', 'y'], /"get" has no option --reason/],
      [['get'], /"get" needs <key>/],
      [['set', 'x', 'a', 'b'], /"b" is too much; put quotes around a document/],
      [['set', 'x', '-5'], /no option -5\..*after "--"/],
      [['set', 'x', '1', '--layer'], /--layer needs a value/],
      [['set', 'x', '1', '--layer', '--json'], /--layer needs a value/],
      [['set', 'x', '1', '--expect', 'new'], /--expect is "new"/],
      [['set', 'x', '1', '--format', 'ymal'], /--format is "ymal".*Did you mean "yaml"\?/],
      [['set', 'x', '1', '--json=yes'], /--json takes no value/],
      [['set', 'x', '1', '--author', 'a', '--author', 'b'], /--author is given twice/],
      [['rollback', 'x', 'last'], /The version is "last"/],
      [['release', 'start', 'x', '1', '--observe', '9'], /--observe is "9": give a time such as/],
      [['release', 'start', 'x', '1', '--steps', 'a'], /--steps is "a": give percents/],
      [['release', 'start', 'x', '1', '--label', 'a'], /--label is "a": give a name and a value/],
      [['get', 'x', '--layer', 'shared', '--zone', 'eu'], /--zone merges; give one/],
      [['set', 'x', '1', '--keep', '0'], /--keep is "0": give a whole number/],
      [['list', '--namespace', 'a//b'], /The namespace "a\/\/b" cannot be/],
      [['set', 'x', '1', '--layer', 'planet:earth'], /no layer of a configuration/],
      [['release', 'start', 'x', '1', '--steps', '50,20,100'], /each step must be larger/],
      [['release', 'start', 'x', '1', '--observe', '99999999h'], /observeMs/],
      [['set', 'x', '1', '--reason', 'a\nb'], /--reason is "a\\nb": give one line/],
      [['set', 'x', '1', '--author', '\u001b[2J'], /--author is "\\u001b\[2J": give one line/],
      [['list', '--endpoints', 'ftp://x'], /ftp/],
    ];
    for (const [args, sentence] of cases) {
      const ended = await run(args);
      expect(ended).toMatchObject({ code: 2, out: '' });
      expect(ended.err.replaceAll('\n', ' ')).toMatch(sentence);
    }
  });

  it('x', async () => {
    const { code, err } = await run(['list', '--endpoints', 'http://root:hunter2@etcd:2379']);
    expect(code).toBe(2);
    expect(err).toContain('http://***@etcd:2379');
    expect(err).not.toContain('hunter2');
  });

  it('explains itself, with examples that it understands', async () => {
    const overview = await run(['--help']);
    expect(overview).toMatchObject({ code: 0, err: '' });
    expect((await run([])).out).toBe(overview.out);
    const commands = [...overview.out.matchAll(/^ {2}((?:release )?[a-z]+)(?= |$)/gm)].map(
      ([, name]) => name!,
    );
    expect(commands).toHaveLength(12);
    for (const command of commands) {
      const { code, out } = await run([...command.split(' '), '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`  npm run config -- ${command}`);
      expect(out).toContain('--namespace <name>');
    }
    expect((await run(['release', '--help'])).out).toMatch(/release promote/);
    expect((await run(['help', 'set'])).out).toContain('--expect <revision>');
  });
});
