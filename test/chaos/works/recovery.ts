import {
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
} from '../../../libs/etcd-coordination/src/client/client-options.js';

/** etcd looks for expired leases twice a second, and the members here elect a leader within 500 ms and as much again. */
const EXPIRY_MS = 500;
const ELECTION_MS = 1000;

/**
 * From the healing until whoever is next owns something: what the dead left must expire (their lease begins anew
 * with a leader of etcd), and who is next may have a call under way that must time out, and pause before the next.
 */
export function firstGrantMs(ttlMs: number): number {
  return ttlMs + EXPIRY_MS + ELECTION_MS + DEFAULT_TIMEOUTS.registration + DEFAULT_RETRY.maxDelayMs;
}

/** As {@link firstGrantMs} for each process: it may have to take a lease of its own anew first. */
export function eachGrantMs(ttlMs: number): number {
  return 2 * firstGrantMs(ttlMs);
}

/** Until a call that failed in the fault has been made again, and answered. */
export function nextCallMs(): number {
  return (
    ELECTION_MS + DEFAULT_TIMEOUTS.registration + DEFAULT_RETRY.maxDelayMs + DEFAULT_TIMEOUTS.write
  );
}
