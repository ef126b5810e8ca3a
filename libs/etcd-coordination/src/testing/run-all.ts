/**
 * Does each of these, whatever the others come to.
 *
 * @param failed what to say if several throw, after their number
 * @throws what the one has thrown, or an AggregateError of several, after all were done
 */
export function runAll(steps: Iterable<() => void>, failed: string): void {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} ${failed}.`);
  if (errors.length === 1) throw errors[0];
}
