/** The service that every process is an instance of, and calls. */
export const SERVICE = 'peers';
