/** What everybody wants. */
export const HOT = 'hot';
/** What is free more often than not. */
export const COOL = ['cool-1', 'cool-2', 'cool-3'] as const;

export const lockOf = (name: string) => `lock/${name}`;
