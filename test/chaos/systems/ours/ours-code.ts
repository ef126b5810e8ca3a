/** The code of an error of the library; null for any other, which nobody should see. */
export function oursCode(error: unknown): string | null {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : null;
}
