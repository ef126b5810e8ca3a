/**
 * What processes that compete for one lock note down, and the rules that their notes must keep
 * whatever was done to them. Moments are milliseconds of the machine's monotonic clock, which all
 * processes share (`machineNow`); tokens are decimal.
 */
export type LockNote =
  | (Noted & { readonly type: 'granted'; readonly how: string })
  /** `isValid()` was true before the moment was read, and again after it. */
  | (Noted & { readonly type: 'valid' })
  /** `isValid()` was false, or the signal had aborted, for the first time. */
  | (Noted & { readonly type: 'lost'; readonly reason: string })
  /** The holder is about to give the lock back, or its work under `using` to end. */
  | (Noted & { readonly type: 'released' })
  /** Nothing had run for `gapMs`; what the very next statements saw, in this order. */
  | (Noted & {
      readonly type: 'woke';
      readonly gapMs: number;
      readonly valid: boolean;
      readonly aborted: boolean;
      readonly validAfter: boolean;
    })
  /** A guarded write is about to be sent; `valid` was asked just before. */
  | (Noted & {
      readonly type: 'sent';
      readonly write: string;
      readonly guard: WriteGuard;
      readonly valid: boolean;
      /** Sent on purpose by a holder that had just woken up, or knew that it had lost. */
      readonly late: boolean;
    })
  | (Noted & {
      readonly type: 'answered';
      readonly write: string;
      readonly outcome: 'accepted' | 'refused' | 'unknown';
      readonly code: string;
    })
  /** How `using` ended, and whether the lock was valid in the last statement of its work. */
  | (Noted & {
      readonly type: 'used';
      readonly outcome: 'resolved' | 'lost';
      readonly validAtEnd: boolean;
    })
  /** An attempt that ended without the lock, by an error that says so. */
  | (Moment & { readonly type: 'without'; readonly code: string })
  /** An error that nobody should see. */
  | (Moment & { readonly type: 'fault'; readonly message: string });

/**
 * - `raw`: a transaction that compares the fence's key itself, as any client of etcd can send it
 * - `fenced`: one of `EtcdTransactions.fenced`
 */
export type WriteGuard = 'raw' | 'fenced';

interface Moment {
  readonly t: number;
  /** Slot and incarnation of the process: `2.1` is the first successor of process `2.0`. */
  readonly process: string;
}

interface Noted extends Moment {
  readonly token: string;
}

/** A guarded write that etcd has, as etcd has it. */
export interface AcceptedWrite {
  readonly write: string;
  readonly token: string;
  readonly revision: bigint;
  /** How often it was applied. */
  readonly version: number;
}

/** A span in which a grant called itself valid, as far as it is known: it may have been longer. */
export interface Holding {
  readonly token: bigint;
  readonly process: string;
  readonly from: number;
  readonly to: number;
}

/** Every grant that said once after its beginning that it was valid, in order of time. */
export function holdings(notes: readonly LockNote[]): Holding[] {
  const open = new Map<string, { from: number; to: number | null }>();
  for (const note of inTime(notes)) {
    if (note.type === 'granted') open.set(idOf(note), { from: note.t, to: null });
    const span = note.type === 'valid' ? open.get(idOf(note)) : undefined;
    if (span) span.to = note.t;
  }
  return [...open]
    .flatMap(([id, { from, to }]) => {
      const [process, token] = id.split(' ') as [string, string];
      return to === null ? [] : [{ process, token: BigInt(token), from, to }];
    })
    .sort((a, b) => a.from - b.from);
}

/** No moment at which two grants both said that they were valid. */
export function overlaps(notes: readonly LockNote[]): string[] {
  const faults: string[] = [];
  let latest: Holding | null = null;
  for (const next of holdings(notes)) {
    if (latest && next.from <= latest.to) {
      faults.push(
        `${shown(latest)} was valid until ${latest.to.toFixed(3)}, and ${shown(next)} from ${next.from.toFixed(3)}.`,
      );
    }
    if (!latest || next.to > latest.to) latest = next;
  }
  return faults;
}

/** A token is one grant's alone, and larger than those of all earlier grants. */
export function tokenFaults(notes: readonly LockNote[]): string[] {
  const faults: string[] = [];
  const owners = new Map<string, string>();
  for (const note of inTime(notes)) {
    if (note.type !== 'granted') continue;
    const owner = owners.get(note.token);
    if (owner !== undefined) {
      faults.push(`Token ${note.token} was granted to ${owner} and to ${note.process}.`);
    }
    owners.set(note.token, note.process);
  }
  // A grant that was never seen valid may be noted long after it: it has no place in the order.
  let newest: Holding | null = null;
  for (const next of holdings(notes)) {
    if (newest && next.token <= newest.token) {
      faults.push(`${shown(next)} was granted after ${shown(newest)}.`);
    } else {
      newest = next;
    }
  }
  return faults;
}

/** What is over stays over, its signal and its clock agree, and `using` does not keep it quiet. */
export function lossFaults(notes: readonly LockNote[]): string[] {
  const faults: string[] = [];
  const lost = new Set<string>();
  for (const note of inTime(notes)) {
    if (note.type === 'lost') lost.add(idOf(note));
    if (note.type === 'valid' && lost.has(idOf(note))) {
      faults.push(`Token ${note.token} of ${note.process} was valid again after its loss.`);
    }
    if (note.type === 'woke' && (note.aborted ? note.validAfter : !note.valid)) {
      faults.push(
        `Token ${note.token} of ${note.process} woke up with isValid() ${note.valid}, then signal.aborted ${note.aborted}, then isValid() ${note.validAfter}.`,
      );
    }
    if (note.type === 'used' && note.outcome === 'resolved' && !note.validAtEnd) {
      faults.push(
        `using() resolved for token ${note.token} of ${note.process}, which was lost when its work ended.`,
      );
    }
  }
  return faults;
}

/**
 * No write is accepted from a token older than one accepted before, none that was sent through
 * `fenced` under a lock known to be lost, none twice; and answers tell what etcd has.
 */
export function writeFaults(
  notes: readonly LockNote[],
  accepted: readonly AcceptedWrite[],
): string[] {
  const faults: string[] = [];
  const inEtcd = new Map(accepted.map((write) => [write.write, write]));
  const sent = new Map<string, LockNote & { type: 'sent' }>();
  for (const note of notes) {
    if (note.type === 'sent') sent.set(note.write, note);
    if (note.type !== 'answered') continue;
    const has = inEtcd.has(note.write);
    if (note.outcome === 'accepted' && !has) {
      faults.push(`Write ${note.write} of token ${note.token} was accepted, and etcd lacks it.`);
    }
    if (note.outcome === 'refused' && has) {
      faults.push(`Write ${note.write} of token ${note.token} was refused, and etcd has it.`);
    }
  }

  let newest: AcceptedWrite | null = null;
  for (const write of [...accepted].sort((a, b) => (a.revision < b.revision ? -1 : 1))) {
    const origin = sent.get(write.write);
    if (!origin || origin.token !== write.token) {
      faults.push(`Etcd has a write ${write.write} of token ${write.token} that nobody sent.`);
    }
    if (origin?.guard === 'fenced' && !origin.valid) {
      faults.push(
        `Write ${write.write} of token ${write.token} was accepted, and its lock was lost before it was sent.`,
      );
    }
    if (write.version !== 1) {
      faults.push(
        `Write ${write.write} of token ${write.token} was applied ${write.version} times.`,
      );
    }
    if (newest && BigInt(write.token) < BigInt(newest.token)) {
      faults.push(
        `Write ${write.write} of token ${write.token} was accepted at revision ${write.revision}, after one of token ${newest.token} at ${newest.revision}.`,
      );
    } else {
      newest = write;
    }
  }
  return faults;
}

/** After everything was healed somebody gets the lock within one bound, and each process within another. */
export function livenessFaults(
  notes: readonly LockNote[],
  processes: readonly string[],
  healed: { readonly at: number; readonly firstMs: number; readonly eachMs: number },
): string[] {
  const waited = (of: (note: LockNote) => boolean) => {
    const first = inTime(notes).find(
      (note) => note.type === 'granted' && note.t > healed.at && of(note),
    );
    return first ? first.t - healed.at : Infinity;
  };
  const first = waited(() => true);
  const faults =
    first <= healed.firstMs
      ? []
      : [`Nobody had the lock within ${healed.firstMs} ms of the healing: ${first.toFixed(0)} ms.`];
  for (const process of processes) {
    const own = waited((note) => note.process === process);
    if (own > healed.eachMs) {
      faults.push(
        `Process ${process} had the lock ${own.toFixed(0)} ms after the healing, not within ${healed.eachMs} ms.`,
      );
    }
  }
  return faults;
}

/** Errors that the library should have spared its user. */
export function errorFaults(notes: readonly LockNote[]): string[] {
  return notes.flatMap((note) =>
    note.type === 'fault' ? [`${note.process}: ${note.message}`] : [],
  );
}

/** Who holds the lock at the end of the notes, if that can be told. */
export function presentHolder(
  notes: readonly LockNote[],
): { process: string; token: string } | null {
  let holder: { process: string; token: string } | null = null;
  for (const note of inTime(notes)) {
    if (note.type === 'granted') holder = { process: note.process, token: note.token };
    const over = note.type === 'released' || note.type === 'lost';
    if (over && holder?.token === note.token && holder.process === note.process) holder = null;
  }
  return holder;
}

/** The notes by their moments; those of one process keep their order, as they are sorted stably. */
function inTime(notes: readonly LockNote[]): LockNote[] {
  return [...notes].sort((a, b) => a.t - b.t);
}

function idOf(note: Noted): string {
  return `${note.process} ${note.token}`;
}

function shown({ token, process }: Holding): string {
  return `Token ${token} of ${process}`;
}
