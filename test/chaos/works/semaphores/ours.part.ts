import type { OursPart } from '../../systems/ours/ours-system.js';
import { lockOf } from '../locks/lock-names.js';
import { SharedTurns } from '../locks/shared-turns.js';
import { PERMITS, SLOTS } from './slots.js';

export const part: OursPart = {
  start: (ground) => {
    const lock = ground.system.locks.semaphore(SLOTS, PERMITS);
    const next = () => ({ of: lockOf(SLOTS), lock, how: 'a permit', shared: false });
    return Promise.resolve(new SharedTurns(ground, next));
  },
};
