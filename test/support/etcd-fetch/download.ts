import { createHash } from 'node:crypto';

/** A file that could not be had from a host that does answer, or from one that does not. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
}

export interface DownloadOptions {
  /** Until the host answers at all, in milliseconds. Short: most machines without network hang here. */
  readonly answerTimeoutMs?: number;
  /** Until the last byte, in milliseconds. */
  readonly timeoutMs?: number;
  /** How often to ask in all. Default 1. */
  readonly attempts?: number;
}

/** Fetches a whole file. */
export async function download(url: string, options: DownloadOptions = {}): Promise<Buffer> {
  const { attempts = 1 } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await downloadOnce(url, options);
    } catch (error) {
      if (attempt >= attempts) throw error;
    }
  }
}

async function downloadOnce(url: string, options: DownloadOptions): Promise<Buffer> {
  const { answerTimeoutMs = 5_000, timeoutMs = 180_000 } = options;
  const abort = new AbortController();
  const whole = setTimeout(() => abort.abort(), timeoutMs);
  const answer = setTimeout(() => abort.abort(), answerTimeoutMs);
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(answer);
    if (!response.ok) throw new DownloadError(`${url} was answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    const reason = abort.signal.aborted ? 'no answer in time' : describe(error);
    throw new DownloadError(`${url} cannot be fetched: ${reason}`, { cause: error });
  } finally {
    clearTimeout(whole);
    clearTimeout(answer);
  }
}

/** Throws unless the bytes have this SHA-256 digest, in hex. */
export function assertSha256(bytes: Buffer, digest: string, what: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== digest) {
    throw new DownloadError(`${what} has the SHA-256 ${found}, not ${digest} as published`);
  }
}

function describe(error: unknown): string {
  const cause = (error as { cause?: { message?: string; code?: string } }).cause;
  return cause?.code ?? cause?.message ?? String(error);
}
