/** The command was not understood: said with a sentence that names what is known; exit code 2. */
export class ChaosUsageError extends Error {
  override readonly name = 'ChaosUsageError';
}
