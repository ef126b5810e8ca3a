import type { ConfigNote } from './config-notes.js';
import { type Publication, publicationsOf } from './config-publications.js';
import type { Evidence } from './evidence.js';
import { at, grouped } from './in-time.js';
import { larger } from './revisions.js';

type Shown = ConfigNote & { readonly type: 'applied' | 'read' };

/** How long after it was answered a value may be missed by those who call themselves up to date: a watch on a member that was cut off notices within 4 s, and moves. */
const LAG_MS = 6000;

/** The revision of a declared default. */
const NONE = '0';

/**
 * A configuration is never older than what was applied before in the same process, never a value that does not
 * validate or that nobody published, and one revision is one value. What was refused is not in etcd, what was
 * accepted is, what the library accepted validates, and who calls itself up to date is.
 */
export function configFaults(
  notes: readonly ConfigNote[],
  { truth }: Pick<Evidence, 'truth'>,
  lagMs = LAG_MS,
): string[] {
  return [...grouped(notes, ({ config }) => config)].flatMap(([config, its]) => {
    const shown = its.filter(
      (note): note is Shown => note.type === 'applied' || note.type === 'read',
    );
    const publications = publicationsOf(config, its, truth);
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
  { truth, survivors }: Pick<Evidence, 'truth' | 'survivors'>,
): string[] {
  return [...grouped(notes, ({ config }) => config)].flatMap(([config, its]) => {
    const shown = its.filter(
      (note): note is Shown => note.type === 'applied' || note.type === 'read',
    );
    let newest = newestGood(publicationsOf(config, its, truth), Infinity);
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

function untrueValues(shown: readonly Shown[], publications: readonly Publication[]): string[] {
  const byRevision = new Map<string, string>();
  for (const { attempt, answer } of publications) {
    if (answer?.outcome === 'accepted') byRevision.set(answer.revision, attempt.value);
  }
  const byValue = grouped(publications, ({ attempt }) => attempt.value);
  const faults = new Set<string>();
  for (const { process, revision, value, t } of shown) {
    if (revision === NONE) continue;
    const says = `Process ${process} showed ${value} of revision ${revision}`;
    // More than one where it was brought back.
    const origins = byValue.get(value);
    const real = byRevision.get(revision) ?? value;
    if (!origins) faults.add(`${says}, which nobody published.`);
    else if (!origins[0]!.attempt.valid) faults.add(`${says}, which does not validate.`);
    else if (origins.every(({ answer }) => answer?.outcome === 'refused')) {
      faults.add(`${says}, which was refused.`);
    } else if (origins[0]!.attempt.t > t) faults.add(`${says} before it was published.`);
    else if (real !== value) faults.add(`${says}, which is ${real}.`);
    byRevision.set(revision, real);
  }
  return [...faults];
}

function wrongAnswers(publications: readonly Publication[]): string[] {
  return publications.flatMap(({ attempt, answer, written }) => {
    const says = `${attempt.process} published ${attempt.value} through ${attempt.via}`;
    if (answer?.outcome === 'refused' && written) {
      return [
        `${says}, was refused by ${answer.code}, and etcd has it at revision ${written.revision}.`,
      ];
    }
    if (answer?.outcome !== 'accepted') return [];
    if (!written)
      return [`${says}, was accepted, and etcd lacks it at revision ${answer.revision}.`];
    const isThrough = attempt.via !== 'raw' && !attempt.valid;
    return isThrough ? [`${says}, was accepted, and it does not validate.`] : [];
  });
}

/** A value that calls itself fresh holds what was published a while before it was last known to be current. */
function staleReads(
  shown: readonly Shown[],
  publications: readonly Publication[],
  lagMs: number,
): string[] {
  return shown.flatMap((note) => {
    if (note.type !== 'read' || !note.synced || note.ageMs === null) return [];
    const until = note.t - note.ageMs - lagMs;
    const newest = newestGood(publications, until);
    if (BigInt(note.revision) >= newest) return [];
    // Whoever was away at the time comes back to the bad one, and never sees the good one before it. By a
    // list that counts from when it was asked for, and was answered at any time until the read.
    if (isSpoiled(publications, newest, note.t)) return [];
    return [
      `Process ${note.process} read revision ${note.revision} at ${at(note.t)} and was told that it was ${note.ageMs} ms old, and revision ${newest} had been published more than ${lagMs} ms before that.`,
    ];
  });
}

/** Whether something that does not validate has taken the place of a good revision, and may have by then. */
function isSpoiled(publications: readonly Publication[], good: bigint, by: number): boolean {
  return publications.some(
    ({ attempt, written }) =>
      !attempt.valid && written !== null && attempt.t <= by && written.revision > good,
  );
}

/** Of those that are certain to have been in etcd by then. */
function newestGood(publications: readonly Publication[], until: number): bigint {
  let newest = 0n;
  for (const { attempt, written } of publications) {
    if (attempt.valid && written && written.by <= until) newest = larger(newest, written.revision);
  }
  return newest;
}
