import { describe, expect, it } from 'vitest';
import { settle } from '../../../../../test/support/virtual-clock.js';
import { ShareMoves } from './share-moves.js';

async function isOver(move: Promise<void>): Promise<boolean> {
  let over = false;
  void move.then(() => (over = true));
  await settle();
  return over;
}

describe('the move of a record to a new lease', () => {
  it('is over when the record is on the new one, not when a late answer puts it on the old one', async () => {
    const moves = new ShareMoves();
    moves.stands('old');
    const move = moves.to('new');
    expect(await isOver(move)).toBe(false);
    moves.stands('old');
    expect(await isOver(move)).toBe(false);
    moves.stands('new');
    expect(await isOver(move)).toBe(true);
  });

  it('has nothing to wait for where the record is on none, or there already, or never will be', async () => {
    const moves = new ShareMoves();
    expect(await isOver(moves.to('new'))).toBe(true);
    moves.stands('new');
    expect(await isOver(moves.to('new'))).toBe(true);
    const next = moves.to('next');
    moves.close();
    expect(await isOver(next)).toBe(true);
    expect(await isOver(moves.to('another'))).toBe(true);
  });
});
