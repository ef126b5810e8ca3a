/** What so many may have at a time. */
export const SLOTS = 'slots';
export const PERMITS = 2;
