/** What is written and watched. */
export const PREFIX = 'watched/';

export const KEYS = Array.from({ length: 24 }, (_, index) => `${PREFIX}${index}`);
