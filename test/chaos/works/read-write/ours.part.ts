import type { OursPart } from '../../systems/ours/ours-system.js';
import { lockOf } from '../locks/lock-names.js';
import { SharedTurns } from '../locks/shared-turns.js';
import { BOOKS } from './books.js';

export const part: OursPart = {
  start: (ground) => {
    const { random, system } = ground;
    const next = () => {
      const book = BOOKS[random.int(0, BOOKS.length - 1)]!;
      const { read, write } = system.locks.readWrite(book);
      const shared = random.chance(0.7);
      const [lock, how] = shared ? [read, 'to read'] : [write, 'to write'];
      return { of: lockOf(book), lock, how, shared };
    };
    return Promise.resolve(new SharedTurns(ground, next));
  },
};
