/** What many read and some write. */
export const BOOKS = ['book-1', 'book-2'] as const;
