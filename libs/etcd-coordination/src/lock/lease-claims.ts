import type { SessionLease } from '../session/session-lease.js';
import type { Claim } from './claim.js';

const claimsOf = new WeakMap<SessionLease, Set<Claim>>();

/**
 * The claims that stand on a lease and end with it, before anything else happens. They may be tens of
 * thousands, and an AbortSignal walks through all its listeners to add one: so there is one for all.
 */
export function claimsOn(lease: SessionLease): Set<Claim> {
  let claims = claimsOf.get(lease);
  if (!claims) {
    const standing = new Set<Claim>();
    lease.signal.addEventListener(
      'abort',
      () => {
        for (const claim of standing) claim.end('session-lost');
      },
      { once: true },
    );
    claimsOf.set(lease, (claims = standing));
  }
  return claims;
}
