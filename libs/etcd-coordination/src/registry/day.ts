/** A day, in milliseconds: what a fleet asks for or says is for no longer. */
export const DAY_MS = 24 * 60 * 60 * 1000;
