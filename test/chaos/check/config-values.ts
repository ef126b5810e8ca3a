import type { ConfigNote } from './config-notes.js';
import { at, grouped } from './in-time.js';
import { larger } from './revisions.js';

type Shown = ConfigNote & { readonly type: 'applied' | 'read' };
type Attempt = ConfigNote & { readonly type: 'publishing' };
type Answer = ConfigNote & { readonly type: 'published' };

/** How long after it was answered a value may be missed by those who call themselves up to date: a watch on a member that was cut off notices within 4 s, and moves. */
const LAG_MS = 6000;

/** The revision of a declared default. */
const NONE = '0';

/**
 * A configuration is never older than what was applied before in the same process, never a value that does not
 * validate or that nobody published, and one revision is one value. What the library refused to publish is not in
 * etcd, what it accepted validates, and who calls itself up to date is.
 */
export function configFaults(notes: readonly ConfigNote[], lagMs = LAG_MS): string[] {
  return [...grouped(notes, ({ config }) => config)].flatMap(([config, its]) => {
    const shown = its.filter(
      (note): note is Shown => note.type === 'applied' || note.type === 'read',
    );
    const publications = publicationsOf(its);
    return [
      ...goneBack(shown),
      ...untrueValues(shown, publications),
      ...wrongAnswers(publications),
      ...staleReads(shown, publications, lagMs),
    ].map((fault) => `${config}: ${fault}`);
  });
}

/** What surviving followers have yet to come to after the healing: the newest good value, all of them. */
export function awaitedConfigs(
  notes: readonly ConfigNote[],
  survivors: readonly string[],
): string[] {
  return [...grouped(notes, ({ config }) => config)].flatMap(([config, its]) => {
    const shown = its.filter(
      (note): note is Shown => note.type === 'applied' || note.type === 'read',
    );
    let newest = newestAccepted(publicationsOf(its), Infinity);
    for (const { revision } of shown) newest = larger(newest, BigInt(revision));
    return survivors.flatMap((process) => {
      const last = shown.findLast((note) => note.process === process);
      if (!last) return [`${config}: Process ${process} has not applied any value.`];
      if (BigInt(last.revision) >= newest) return [];
      return [
        `${config}: Process ${process} is at revision ${last.revision}, and the last good one is ${newest}.`,
      ];
    });
  });
}

interface Publication {
  readonly attempt: Attempt;
  readonly answer: Answer | undefined;
}

function publicationsOf(notes: readonly ConfigNote[]): Map<string, Publication> {
  const answers = new Map(
    notes.flatMap((note) => (note.type === 'published' ? [[note.attempt, note]] : [])),
  );
  return new Map(
    notes.flatMap((attempt) =>
      attempt.type === 'publishing'
        ? [[attempt.value, { attempt, answer: answers.get(attempt.attempt) }]]
        : [],
    ),
  );
}

function goneBack(shown: readonly Shown[]): string[] {
  const faults: string[] = [];
  for (const [process, its] of grouped(shown, (note) => note.process)) {
    let newest = 0n;
    for (const note of its) {
      const revision = BigInt(note.revision);
      if (revision < newest) {
        faults.push(
          `Process ${process} was back at revision ${revision} at ${at(note.t)}, after ${newest}.`,
        );
      }
      newest = larger(newest, revision);
    }
  }
  return faults;
}

function untrueValues(shown: readonly Shown[], publications: Map<string, Publication>): string[] {
  const byRevision = new Map<string, string>();
  for (const { attempt, answer } of publications.values()) {
    if (answer?.outcome === 'accepted') byRevision.set(answer.revision, attempt.value);
  }
  const faults = new Set<string>();
  for (const { process, revision, value, t } of shown) {
    if (revision === NONE) continue;
    const says = `Process ${process} showed ${value} of revision ${revision}`;
    const origin = publications.get(value);
    const real = byRevision.get(revision) ?? value;
    if (!origin) faults.add(`${says}, which nobody published.`);
    else if (!origin.attempt.valid) faults.add(`${says}, which does not validate.`);
    else if (origin.answer?.outcome === 'refused') faults.add(`${says}, which was refused.`);
    else if (origin.attempt.t > t) faults.add(`${says} before it was published.`);
    else if (real !== value) faults.add(`${says}, which is ${real}.`);
    byRevision.set(revision, real);
  }
  return [...faults];
}

function wrongAnswers(publications: Map<string, Publication>): string[] {
  return [...publications.values()].flatMap(({ attempt, answer }) =>
    attempt.via === 'store' && !attempt.valid && answer?.outcome === 'accepted'
      ? [`The store published ${attempt.value} for ${attempt.process}, which does not validate.`]
      : [],
  );
}

/** A value that calls itself fresh holds what was published a while before it was last known to be current. */
function staleReads(
  shown: readonly Shown[],
  publications: Map<string, Publication>,
  lagMs: number,
): string[] {
  return shown.flatMap((note) => {
    if (note.type !== 'read' || !note.synced || note.ageMs === null) return [];
    const until = note.t - note.ageMs - lagMs;
    const newest = newestAccepted(publications, until);
    if (BigInt(note.revision) >= newest) return [];
    // Whoever was away at the time comes back to the bad one, and never sees the good one before it.
    if (isSpoiled(publications, newest, note.t - note.ageMs)) return [];
    return [
      `Process ${note.process} read revision ${note.revision} at ${at(note.t)} and was told that it was ${note.ageMs} ms old, and revision ${newest} had been published more than ${lagMs} ms before that.`,
    ];
  });
}

/** Whether something that does not validate may have taken the place of a good revision by then. */
function isSpoiled(publications: Map<string, Publication>, good: bigint, by: number): boolean {
  return [...publications.values()].some(
    ({ attempt, answer }) =>
      !attempt.valid &&
      attempt.t <= by &&
      answer?.outcome !== 'refused' &&
      (answer?.outcome !== 'accepted' || BigInt(answer.revision) > good),
  );
}

function newestAccepted(publications: Map<string, Publication>, until: number): bigint {
  let newest = 0n;
  for (const { attempt, answer } of publications.values()) {
    const counts = attempt.valid && answer?.outcome === 'accepted' && answer.t <= until;
    if (counts) newest = larger(newest, BigInt(answer.revision));
  }
  return newest;
}
