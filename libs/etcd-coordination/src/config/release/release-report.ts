/**
 * What an instance that follows the configuration says of a release under way. It stands on the
 * instance's lease, so it goes when the instance dies; the word that it leaves in good order
 * stands on none, and goes when the release is over.
 */
export interface ReleaseReport {
  readonly instanceId: string;
  readonly releaseId: string;
  /**
   * - `waiting`: it has yet to apply the document, or is not to
   * - `applied`: what is read there now was made with it
   * - `rejected`: it cannot be used there
   */
  readonly state: 'waiting' | 'applied' | 'rejected';
  /** What the instance's health checks say. */
  readonly healthy: boolean;
  /** What it said before it applied the document. */
  readonly healthyBefore: boolean;
  /** Whether it has been well at all: before it applied the document, or with it since then. */
  readonly hasBeenWell: boolean;
  /** Why it rejected the document or, if it did not, why it is unhealthy. */
  readonly reason: string | null;
  /** It shuts down in good order. */
  readonly leaving: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** A report as etcd has it. */
export interface StandingReport extends ReleaseReport {
  /**
   * As a decimal. What an instance says is put again only when it changes, or on another lease:
   * the same revision means that it has been saying so all the time.
   */
  readonly modRevision: string;
}

/** The reason in a report is cut there. */
const LONGEST_REASON = 500;

export function encodeReleaseReport(report: ReleaseReport): Buffer {
  const reason = report.reason?.slice(0, LONGEST_REASON) ?? null;
  return Buffer.from(JSON.stringify({ ...report, reason }));
}

/** Reads a report; null for what is none, put there by hand. */
export function parseReleaseReport(data: Buffer): ReleaseReport | null {
  try {
    const report = JSON.parse(data.toString()) as Partial<Record<keyof ReleaseReport, unknown>>;
    const { instanceId, releaseId, state, reason, labels } = report;
    const isReport =
      typeof instanceId === 'string' &&
      typeof releaseId === 'string' &&
      (state === 'waiting' || state === 'applied' || state === 'rejected') &&
      [report.healthy, report.healthyBefore, report.hasBeenWell, report.leaving].every(
        (v) => typeof v === 'boolean',
      ) &&
      (reason === null || typeof reason === 'string') &&
      typeof labels === 'object' &&
      labels !== null;
    return isReport ? (report as unknown as ReleaseReport) : null;
  } catch {
    return null;
  }
}
