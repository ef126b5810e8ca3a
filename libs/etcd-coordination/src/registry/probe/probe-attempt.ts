/** Closes what a probe has opened. */
type Close = () => void;

/** What is told of the course of a probe. Only the first word counts. */
export interface ProbeAttempt {
  readonly passed: () => void;
  readonly failed: (reason: string) => void;
  /** It ended with an error. */
  readonly broke: (error: unknown) => void;
}

/**
 * One probe from its opening to its end: whatever comes first, a result, an error or the signal's
 * abortion, all is closed and the promise resolves. `open` gives what closes it.
 */
export function attemptProbe(
  signal: AbortSignal,
  open: (attempt: ProbeAttempt) => Close,
): Promise<string | null> {
  return new Promise((resolve) => {
    let close: Close | null = null;
    let over = false;
    const end = (result: string | null) => {
      if (over) return;
      over = true;
      signal.removeEventListener('abort', abort);
      close?.();
      resolve(result);
    };
    const abort = () => end(messageOf(signal.reason));
    const broke = (error: unknown) => end(explain(error));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      close = open({ passed: () => end(null), failed: end, broke });
      if (over) close();
    } catch (error) {
      broke(error);
    }
  });
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name could not be looked up',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ETIMEDOUT: 'the connection timed out',
};

function explain(error: unknown): string {
  const root = rootOf(error);
  const code = root instanceof Error ? (root as NodeJS.ErrnoException).code : undefined;
  const known = code === undefined ? undefined : EXPLANATIONS[code];
  return known === undefined ? messageOf(root) : `${known} (${code})`;
}

/** Several addresses of a host name fail as one, and so does a stream with its connection. */
function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors[0];
  return error instanceof Error && error.cause instanceof Error ? rootOf(error.cause) : error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
