/** The class of the process that has a method for each term stands in it for as long as the process lives. */
export const STANDING = 'standing';
/** Candidates come and go. */
export const CHANGING = 'changing';

export const electionOf = (name: string) => `election/${name}`;
