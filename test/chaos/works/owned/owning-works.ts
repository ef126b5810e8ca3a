/** The works whose processes own things: their notes tell whose a key was, and who had handed over. */
export const OWNING_WORKS = ['locks', 'read-write', 'semaphores', 'elections'] as const;
