/** What HTTP says of a caller who is to come again: no fault of the caller's. */
const CALLED_TOO_OFTEN: ReadonlySet<unknown> = new Set([408, 429]);

/**
 * Whether an error tells of something that is not well. An answer of the kind "you cannot have that"
 * (HTTP 4xx), and a call that its caller has given up, do not.
 */
export function isFailure(error: unknown): boolean {
  try {
    const { name, status, statusCode } = (error ?? {}) as Partial<Record<string, unknown>>;
    if (name === 'AbortError') return false;
    const code = statusOf(error) ?? status ?? statusCode;
    const isCallersOwn = typeof code === 'number' && code >= 400 && code < 500;
    return !isCallersOwn || CALLED_TOO_OFTEN.has(code);
  } catch {
    // Anything can be thrown, and some of it cannot even be looked at.
    return true;
  }
}

/** What one of Nest's own exceptions says, whose `status` is private. */
function statusOf(error: unknown): unknown {
  const { getStatus } = (error ?? {}) as { getStatus?: unknown };
  return typeof getStatus === 'function' ? Reflect.apply(getStatus, error, []) : undefined;
}
