/** The limit that all processes share. */
export const RULE = 'chaos';
