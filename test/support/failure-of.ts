/** What a promise rejects with; undefined if it does not. Never rejects, so that it can be awaited later. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
