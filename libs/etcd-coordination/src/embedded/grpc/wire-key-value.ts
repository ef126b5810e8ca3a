import { type KeyValue, toBytes } from '../store/key-value.js';
import type { WireKeyValue } from './wire.js';

const NOTHING = Buffer.alloc(0);

/** A key as it is sent; without its value where only keys were asked for. */
export function toWireKeyValue(kv: KeyValue, keysOnly = false): WireKeyValue {
  return {
    key: toBytes(kv.key),
    value: keysOnly ? NOTHING : kv.value,
    create_revision: kv.createRevision,
    mod_revision: kv.modRevision,
    version: kv.version,
    lease: kv.lease.toString(),
  };
}
