import type { Note } from '../history/note.js';

/**
 * What each process notes of one limit of the fleet: of each slot of time what it let through, and what it had of
 * the limit at the slot's end, in parts of the whole.
 */
export type LimitNote = Note & {
  readonly type: 'slot';
  /** Of the machine's clock, in slots of {@link SLOT_MS}. */
  readonly slot: number;
  /** How many calls it was offered. */
  readonly offered: number;
  /** How many it let through while it said that the others reckon with it. */
  readonly confirmed: number;
  /** How many it let through otherwise. */
  readonly unconfirmed: number;
  /** The least and the most that it had at any moment of the slot. */
  readonly least: number;
  readonly most: number;
  readonly borrowed: number;
  /** The most that was borrowed while the others need not have reckoned with it. */
  readonly borrowedUnheard: number;
  readonly members: number;
  /** Whether it was confirmed all the while. */
  readonly isConfirmed: boolean;
};

export const SLOT_MS = 200;
/** So many slots are a window of the limit. */
export const WINDOW = 5;
/** In a window of one second. */
export const LIMIT = 400;
