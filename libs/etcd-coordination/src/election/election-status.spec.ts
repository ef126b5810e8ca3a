import { expect, it } from 'vitest';
import { furthest } from './election-status.js';

it('takes the candidacy that is furthest on its way', () => {
  expect(furthest([])).toBeNull();
  expect(furthest(['withdrawing', 'waiting', 'preparing'])).toBe('waiting');
  expect(furthest(['leading', 'waiting'])).toBe('leading');
});
