import { isInstanceState } from './instance-record.js';
import { parseObject, textOrNull } from './json-record.js';
import type { HealthWord, InstanceState } from './service-instance.js';

/** What a verdict's key holds: what a prober, or somebody's mark, says of an instance's health. */
export interface VerdictRecord extends Pick<HealthWord, 'state' | 'by' | 'reason'> {
  readonly state: InstanceState;
  /** Different for each time that it is put, so that a lost answer can be settled by reading the key. */
  readonly mark: string;
  /** Of a mark: the lease that was granted for it alone, in decimal; null where there is none such. */
  readonly ownLease: string | null;
}

export function encodeVerdictRecord(record: VerdictRecord): Buffer {
  const { state, by, reason, mark, ownLease } = record;
  return Buffer.from(JSON.stringify({ state, by, reason, mark, ownLease }));
}

/**
 * Reads what stands under a verdict's key, or gives null for what is none: not JSON, or without a
 * state that can be one. Never throws.
 */
export function decodeVerdictRecord(data: Buffer): VerdictRecord | null {
  const said = parseObject(data);
  if (!said || !isInstanceState(said['state'])) return null;
  return {
    state: said['state'],
    by: textOrNull(said['by']) ?? '',
    reason: textOrNull(said['reason']),
    mark: textOrNull(said['mark']) ?? '',
    ownLease: textOrNull(said['ownLease']),
  };
}
