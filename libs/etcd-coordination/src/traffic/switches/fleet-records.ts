import { randomUUID } from 'node:crypto';
import type { IKeyValue } from 'etcd3';
import type { SwitchFlip } from './switch-status.js';

/** What the fleet has come to by its instances' votes. */
export interface FleetWord {
  readonly state: 'on' | 'off';
  /** The instance that wrote it. */
  readonly by: string | null;
  readonly why: string | null;
  readonly at: Date | null;
  /** etcd's mod revision of it, as a decimal. */
  readonly revision: string;
}

/** What one instance says of a switch by its own measure. */
export interface Vote {
  readonly state: 'on' | 'off';
  readonly why: string | null;
}

/** An automatic flip, as it is written. */
export interface NewFlip {
  readonly id: string;
  readonly state: 'on' | 'off';
  readonly scope: 'fleet' | 'instance';
  readonly by: string;
  readonly why: string;
  readonly at: string;
}

export function newFlip(flip: Omit<NewFlip, 'id' | 'at'>, at: Date): NewFlip {
  return { id: randomUUID(), ...flip, at: at.toISOString() };
}

export function encode(record: Vote | NewFlip | Omit<NewFlip, 'id' | 'scope'>): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** The fleet's word; null if there is none, or something else was put in its place by hand. */
export function decodeWord(entry: IKeyValue | undefined): FleetWord | null {
  const record = entry && parse(entry.value);
  if (!record || (record['state'] !== 'on' && record['state'] !== 'off')) return null;
  return {
    state: record['state'],
    by: text(record['by']),
    why: text(record['why']),
    at: date(record['at']),
    revision: entry.mod_revision,
  };
}

/** A vote; what cannot be read is none for cutting. */
export function decodeVote(entry: IKeyValue): Vote {
  const record = parse(entry.value);
  return { state: record['state'] === 'off' ? 'off' : 'on', why: text(record['why']) };
}

/** A flip as it was kept; null for what is none. */
export function decodeFlip(entry: IKeyValue): SwitchFlip | null {
  const record = parse(entry.value);
  if (record['state'] !== 'on' && record['state'] !== 'off') return null;
  return {
    state: record['state'],
    source: 'automatic',
    scope: record['scope'] === 'instance' ? 'instance' : 'fleet',
    by: text(record['by']),
    why: text(record['why']),
    at: date(record['at']),
    until: null,
    revision: BigInt(entry.create_revision),
  };
}

function parse(data: Buffer): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(data.toString());
    return typeof record === 'object' && record !== null ? (record as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function date(value: unknown): Date | null {
  const time = typeof value === 'string' ? new Date(value) : null;
  return time && Number.isFinite(time.getTime()) ? time : null;
}
