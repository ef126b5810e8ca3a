/** What a candidate's key holds. */
export interface CandidateRecord {
  /** The `instanceId` of the candidate's process. */
  readonly id: string;
  /** What the candidate says of itself. */
  readonly value: string;
  /** Unique for each entry, so that a lost answer can be settled by reading the key. */
  readonly mark: string;
}

export function encodeRecord(record: CandidateRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** Reads a key's value; what is not a record of ours, put there by hand, counts as an unknown candidate. */
export function decodeRecord(data: Buffer): CandidateRecord {
  try {
    const { id, value, mark } = JSON.parse(data.toString()) as Partial<CandidateRecord>;
    return { id: text(id), value: text(value), mark: text(mark) };
  } catch {
    return { id: '', value: '', mark: '' };
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
