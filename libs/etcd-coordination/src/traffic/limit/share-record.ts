/**
 * What a process says of its share of a fleet's limit. All rates are parts of the whole limit, from 0 to 1,
 * so they mean the same whatever the rule's numbers are meanwhile.
 */
export interface ShareRecord {
  /** Counts what this process has said. */
  readonly beat: number;
  /** It says something every so many milliseconds, or is dead; 0 while it uses nothing, and says nothing. */
  readonly everyMs: number;
  /** How much it would like to have beside its own share; 0 for nothing. */
  readonly want: number;
  /** It counts what it is lent for so long, from the moment at which it sent this. */
  readonly forMs: number;
  /** What it lends. */
  readonly grants: readonly Grant[];
  /** Whose words it has heard by which they lend it nothing any more, with their beats: it counts on nothing older. */
  readonly heeds: readonly (readonly [lender: string, beat: number])[];
  /** It leaves, and has stopped. */
  readonly left: boolean;
}

/** Part of a process's share, lent to another one that has asked for it. */
export interface Grant {
  /** Whom. */
  readonly to: string;
  /** The beat with which that one asked. */
  readonly beat: number;
  readonly rate: number;
}

const VERSION = 1;

export function encodeShareRecord(record: ShareRecord): Buffer {
  const { beat, everyMs, want, forMs, grants, heeds, left } = record;
  return Buffer.from(
    JSON.stringify({
      ...{ v: VERSION, beat, everyMs },
      ...(want > 0 && { want, forMs }),
      ...(grants.length > 0 && { grants: grants.map(({ to, beat: of, rate }) => [to, of, rate]) }),
      ...(heeds.length > 0 && { heeds }),
      ...(left && { left }),
    }),
  );
}

/** What stands in etcd is anybody's text: what cannot be read is a process that only takes part. */
export function decodeShareRecord(value: Buffer): ShareRecord {
  const { beat, everyMs, want, forMs, grants, heeds, left } = parsed(value);
  return {
    beat: numberIn(beat, Number.MAX_SAFE_INTEGER),
    everyMs: numberIn(everyMs, 60_000),
    want: numberIn(want, 1),
    forMs: numberIn(forMs, 300_000),
    grants: Array.isArray(grants) ? grants.flatMap(readGrant) : [],
    heeds: Array.isArray(heeds) ? heeds.flatMap(readHeed) : [],
    left: left === true,
  };
}

function readGrant(given: unknown): Grant[] {
  if (!Array.isArray(given)) return [];
  const [to, beat, rate] = given as unknown[];
  if (typeof to !== 'string') return [];
  return [{ to, beat: numberIn(beat, Number.MAX_SAFE_INTEGER), rate: numberIn(rate, 1) }];
}

function readHeed(given: unknown): ShareRecord['heeds'] {
  if (!Array.isArray(given)) return [];
  const [lender, beat] = given as unknown[];
  if (typeof lender !== 'string') return [];
  return [[lender, numberIn(beat, Number.MAX_SAFE_INTEGER)]];
}

function parsed(value: Buffer): Partial<Record<keyof ShareRecord, unknown>> {
  try {
    return (JSON.parse(value.toString()) ?? {}) as Partial<Record<keyof ShareRecord, unknown>>;
  } catch {
    return {};
  }
}

function numberIn(value: unknown, most: number): number {
  return typeof value === 'number' && value > 0 ? Math.min(value, most) : 0;
}
