import type { MonotonicClock } from './clock.js';
import type { Endpoint } from './endpoint.js';

/** Ranks beside the milliseconds of a cool-down, which they outweigh. */
const UNCONNECTED = 1e6;
const AVOIDED = 1e9;

/** The endpoints in use, and the choice among them. */
export class EndpointPool {
  private endpoints: readonly Endpoint[];
  private turn: number;

  constructor(
    endpoints: readonly Endpoint[],
    private readonly clock: MonotonicClock,
  ) {
    this.endpoints = endpoints;
    // Replicas that start together begin at different members.
    this.turn = Math.floor(Math.random() * endpoints.length);
  }

  get all(): readonly Endpoint[] {
    return this.endpoints;
  }

  /**
   * The endpoint for the next call: healthy ones in turn, connected ones before others, else
   * the one whose cool-down ends first. Those in `avoid` are taken only if there is no other.
   */
  pick(avoid?: ReadonlySet<Endpoint>): Endpoint {
    const now = this.clock.now();
    let best: Endpoint | undefined;
    let bestRank = Infinity;
    for (let i = 0; i < this.endpoints.length; i++) {
      const endpoint = this.endpoints[(this.turn + i) % this.endpoints.length]!;
      const rank =
        endpoint.suspectFor(now) +
        (endpoint.isConnected() ? 0 : UNCONNECTED) +
        (avoid?.has(endpoint) ? AVOIDED : 0);
      if (rank < bestRank) [best, bestRank] = [endpoint, rank];
      if (rank === 0) break;
    }
    this.turn = (this.turn + 1) % this.endpoints.length;
    return best!;
  }

  /** Whether an endpoint outside `tried` is ready for a call. */
  hasHealthyBeside(tried: ReadonlySet<Endpoint>): boolean {
    const now = this.clock.now();
    return this.endpoints.some((e) => !tried.has(e) && e.suspectFor(now) === 0 && e.isConnected());
  }

  /** Takes another set of endpoints into use and returns those that were dropped. Never empties. */
  replace(next: readonly Endpoint[]): Endpoint[] {
    if (next.length === 0) return [];
    const dropped = this.endpoints.filter((e) => !next.includes(e));
    this.endpoints = next;
    this.turn %= next.length;
    return dropped;
  }
}
