import type { WatchResponse, WireEvent, WireKeyValue } from '../grpc/wire.js';

/** etcd's `--max-request-bytes` and what it allows for gRPC. */
const MAX_FRAGMENT_BYTES = 2 * 1024 * 1024;

/** Ids, revisions and flags of a response, as their largest encoding. */
const ENVELOPE_BYTES = 64;
/** The integers and tags of a key, as their largest encoding. */
const KEY_VALUE_BYTES = 64;

/**
 * Splits a response whose events would make it too large. Only the last piece
 * is not marked as a fragment. An event is never split.
 */
export function* fragmentsOf(response: WatchResponse): Generator<WatchResponse> {
  const events = response.events ?? [];
  let piece: WireEvent[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const event of events) {
    const size = sizeOf(event.kv) + sizeOf(event.prev_kv);
    if (piece.length > 0 && bytes + size >= MAX_FRAGMENT_BYTES) {
      yield { ...response, events: piece, fragment: true };
      piece = [];
      bytes = ENVELOPE_BYTES;
    }
    piece.push(event);
    bytes += size;
  }
  yield { ...response, events: piece };
}

function sizeOf(kv: WireKeyValue | null): number {
  return kv ? KEY_VALUE_BYTES + kv.key.length + kv.value.length : 0;
}
