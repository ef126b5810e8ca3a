import {
  EtcdTimeoutError,
  EtcdUnavailableError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { configReleaseKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { readReleasePlan } from '../../../libs/etcd-coordination/src/config/release/release-plan.js';
import type { ReleaseView } from '../../../libs/etcd-coordination/src/config/release/release-view.js';
import { WRITE_OPTIONS, writeOptions, type Call, type Command } from '../command.js';
import { readDocument } from '../input.js';
import { moment, visible } from '../terminal.js';
import type { Options } from '../options.js';
import { RefusedError, UsageError } from '../usage.js';

const OVER: readonly string[] = ['promoted', 'rolled-back', 'aborted'];

function planOptions(options: Options) {
  const [steps, labels] = [options.steps(), options.labels()];
  const observeMs = options.milliseconds('observe');
  const applyTimeoutMs = options.milliseconds('apply-timeout');
  return {
    ...(steps && { steps }),
    ...(labels && { labels }),
    ...(observeMs !== undefined && { observeMs }),
    ...(applyTimeoutMs !== undefined && { applyTimeoutMs }),
  };
}

const start: Command = {
  name: 'release start',
  words: ['<key>', '<document>'],
  options: [
    ...WRITE_OPTIONS.filter((option) => option !== 'keep'),
    ...(['format', 'steps', 'label', 'observe', 'apply-timeout', 'follow'] as const),
  ],
  does: 'Gives a document to some instances first, then to more, as long as they stay well; --follow as in status.',
  examples: [
    `release start prices '{"espresso": 2.9}' --steps 10,50,100 --observe 90s`,
    'release start prices @prices.json --label canary=yes --reason "autumn" --follow',
  ],
  check: ([key], options) => {
    try {
      readReleasePlan(key!, planOptions(options));
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  },
  async run(call) {
    const { options, releases, words } = call;
    const [key, argument] = words as [string, string];
    const release = await releases.start(key, await readDocument(argument, call.stdin), {
      ...writeOptions(call),
      ...planOptions(options),
    });
    if (options.has('follow')) return follow(call, key);
    show(call, release);
    return 0;
  },
};

const status: Command = {
  name: 'release status',
  words: ['<key>'],
  options: ['follow'],
  does: 'Shows the last release of a configuration, and with --follow each change until it is over: it ends with 1 if it was taken back.',
  examples: ['release status prices', 'release status prices --follow'],
  async run(call) {
    const { options, releases, terminal } = call;
    const key = call.words[0]!;
    const release = await releases.get(key);
    if (release === null) {
      if (terminal.json) terminal.data(null);
      else terminal.line(`${key} never had a release.`);
      return 0;
    }
    if (options.has('follow')) return follow(call, key);
    show(call, release);
    return 0;
  },
};

/** What an operator does to a release under way. */
function action(name: 'pause' | 'resume' | 'promote' | 'abort', does: string): Command {
  return {
    name: `release ${name}`,
    words: ['<key>'],
    options: ['reason', 'author'],
    does,
    examples: [`release ${name} prices --reason "as agreed"`],
    async run(call) {
      const { options, releases, words } = call;
      const reason = options.text('reason');
      show(call, await releases[name](words[0]!, { ...(reason !== undefined && { reason }) }));
    },
  };
}

export const RELEASE_COMMANDS: readonly Command[] = [
  start,
  status,
  action('pause', 'Holds a release where it is; it is taken back all the same if it does harm.'),
  action('resume', 'Lets a paused release go on.'),
  action('promote', 'Gives the document of a release to everybody at once.'),
  action('abort', 'Takes a release back from everybody who has its document.'),
];

/** How often etcd is asked whether it still answers, in milliseconds. */
const PULSE_MS = 4000;

/** Shows each change until the release is over: 0 if it was promoted, 1 if it was taken back. */
async function follow(call: Call, key: string): Promise<number> {
  const stop = sayWhenAway(call, key);
  try {
    return await followed(call, key);
  } finally {
    stop();
  }
}

/** A follower hears nothing while nothing happens, and nothing while etcd is away: says which it is. */
function sayWhenAway({ client, namespace, terminal }: Call, key: string): () => void {
  let away = false;
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    const answer = client.range(
      { key: Buffer.from(configReleaseKey(namespace, key)), count_only: true },
      { timeoutMs: PULSE_MS },
    );
    void answer
      .then(() => true)
      .catch(
        (error: unknown) =>
          !(error instanceof EtcdUnavailableError || error instanceof EtcdTimeoutError),
      )
      .then((answers) => {
        asking = false;
        if (away === answers)
          terminal.note(answers ? 'etcd answers again' : 'etcd does not answer; waiting');
        away = !answers;
      });
  }, PULSE_MS);
  return () => clearInterval(timer);
}

function followed(call: Call, key: string): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    let last = '';
    const subscription = call.releases.release$(key).subscribe({
      next: (release) => {
        if (release === null) return;
        if (call.terminal.json) call.terminal.data(release);
        else if (last !== (last = lineOf(call, release))) call.terminal.line(last);
        if (!OVER.includes(release.state)) return;
        setImmediate(() => subscription.unsubscribe());
        resolve(release.state === 'promoted' ? 0 : 1);
      },
      error: reject,
      complete: () =>
        reject(new RefusedError('CLIENT_CLOSED', 'The connection to etcd was closed.')),
    });
  });
}

function show({ terminal }: Call, release: ReleaseView): void {
  if (terminal.json) return terminal.data(release);
  const { key, layer, id, author, reason, targets, canaries, history } = release;
  terminal.line(terminal.bold(`${key}, layer ${layer}`) + terminal.dim(`  release ${id}`));
  terminal.line(visible(`by ${author}${reason === null ? '' : `: ${reason}`}`));
  terminal.line(progress(terminal, release));
  if (release.waitsFor !== null) terminal.line(`waiting for ${release.waitsFor}`);
  terminal.line();
  terminal.table(
    ['WHEN', 'STATE', 'STEP', 'INSTANCES', 'BY', 'WHAT'],
    history.map((e) => [...[moment(e.at), e.state, `${e.step}`, `${e.targets}`, e.by, e.what]]),
  );
  if (targets.length === 0) return;
  terminal.line();
  terminal.table(
    ['INSTANCE', 'DOCUMENT', 'HEALTH', 'WHY'],
    canaries.map(({ instanceId, state, healthy, leaving, reason }) => [
      ...[instanceId, state, leaving ? 'leaving' : healthy ? 'well' : 'unwell', reason ?? '-'],
    ]),
  );
}

function progress(terminal: Call['terminal'], release: ReleaseView): string {
  const { state, step, steps, share, targets, instances, ended } = release;
  if (OVER.includes(state)) {
    const paint = state === 'promoted' ? terminal.good(state) : terminal.bad(state);
    return `${paint}${ended === null ? '' : `: ${visible(ended)}`}`;
  }
  const whom = share === null ? '' : ` (${share} %)`;
  return `${state}, step ${step} of ${steps}${whom}: ${targets.length} of ${instances} instances have it`;
}

/** A release on one line. */
function lineOf({ terminal }: Call, release: ReleaseView): string {
  const unwell = release.canaries.filter(({ healthy }) => !healthy).map((c) => c.instanceId);
  const waits = release.waitsFor === null ? '' : `; waiting for ${release.waitsFor}`;
  const ill = unwell.length === 0 ? '' : `; unwell: ${unwell.join(', ')}`;
  return `${terminal.dim(moment(release.since))}  ${progress(terminal, release)}${waits}${ill}`;
}
