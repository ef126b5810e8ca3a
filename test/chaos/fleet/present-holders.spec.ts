import { describe, expect, it } from 'vitest';
import type { Note } from '../history/note.js';
import { PresentHolders } from './present-holders.js';

const note = (process: string, type: string, token: string, of = 'lock/a'): Note =>
  ({ t: 0, work: 'locks', process, type, token, of }) as Note;

function holders(...notes: Note[]): PresentHolders {
  const present = new PresentHolders();
  for (const one of notes) present.take(one);
  return present;
}

describe('who owns what', () => {
  const held = [note('0.0', 'granted', '5'), note('0.0', 'valid', '5')];

  it('is who was granted it and was seen to have it', () => {
    expect(holders(note('0.0', 'granted', '5')).newest()).toEqual([]);
    expect(holders(...held).newest()).toMatchObject([{ process: '0.0', of: 'lock/a', token: '5' }]);
  });

  it.each(['released', 'lost'])('is nobody who has %s it', (type) => {
    expect(holders(...held, note('0.0', type, '5')).newest()).toEqual([]);
    expect(holders(...held, note('0.0', type, '4')).newest()).toHaveLength(1);
  });

  it('is the newest of several, as numbers go', () => {
    const newer = [note('1.0', 'granted', '12'), note('1.0', 'valid', '12')];
    expect(holders(...held, ...newer).newest()).toMatchObject([{ token: '12' }]);
    expect(holders(...newer, ...held).newest()).toMatchObject([{ token: '12' }]);
  });

  it('is told thing by thing', () => {
    const other = [
      note('0.0', 'granted', '3', 'election/a'),
      note('0.0', 'valid', '3', 'election/a'),
    ];
    const present = holders(...held, ...other);
    expect(present.newest().map(({ of }) => of)).toEqual(['lock/a', 'election/a']);
    expect([...present.kinds]).toEqual(['lock', 'election']);
  });

  it('is nobody who has ended', () => {
    const present = holders(...held);
    const [holder] = present.newest();
    expect(present.has(holder!)).toBe(true);
    present.forget('0.0');
    expect(present.has(holder!)).toBe(false);
    expect(present.newest()).toEqual([]);
  });

  it('takes no interest in notes of anything else', () => {
    expect(holders({ t: 0, work: 'life', process: '0.0', type: 'granted' }).newest()).toEqual([]);
  });
});
