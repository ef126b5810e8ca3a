/** What undici says of a request that cannot be sent as it is. */
const REQUEST_FAULT = /^UND_ERR_(?:INVALID|REQ_|NOT_SUPPORTED)/;

/** What `fetch` says, without any code, of redirects that it was told not to follow, or cannot. */
const REDIRECT_FAULT = /redirect|URL scheme/;

/**
 * Whether an error that `fetch` rejects with says something of whom it asked: that is whatever is no fault of
 * the request, and no redirect that was not to be followed.
 */
export function isOfInstance(error: unknown): boolean {
  const { cause } = (error ?? {}) as { readonly cause?: unknown };
  const { code, message } = (cause ?? {}) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  if (typeof code === 'string') return !REQUEST_FAULT.test(code);
  return typeof message !== 'string' || !REDIRECT_FAULT.test(message);
}
