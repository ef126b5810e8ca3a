const named = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `register/${prefix}${index}`);

/** Keys that are read, written and compared. */
export const REGISTERS = named('r', 7);
/** Keys that are added to by transactions. */
export const COUNTERS = named('c', 3);
