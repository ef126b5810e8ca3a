/** What one part of a connection has to say in a health check. Each fault is a whole sentence. */
export interface PartHealth {
  /** What it shows, ready for JSON. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Why this process should get no traffic. */
  readonly down?: readonly string[];
  /** What it has never had: a process that has not been ready yet should get no traffic for it. */
  readonly missing?: readonly string[];
  /** Why it serves from what it knew, or without something. */
  readonly degraded?: readonly string[];
}

/** A span in a sentence: whole seconds, but where that says nothing. */
export function span(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}

/** A span in a detail; JSON knows no Infinity. */
export function wholeMs(ms: number): number | null {
  return Number.isFinite(ms) ? Math.round(ms) : null;
}
