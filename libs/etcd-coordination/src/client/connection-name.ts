/** The connection that is meant where none is named. */
export const DEFAULT_CONNECTION = 'default';
