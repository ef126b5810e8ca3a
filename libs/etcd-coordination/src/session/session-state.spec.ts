import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextSessionState, type SessionEvent, type SessionState } from './session-state.js';

const EVENTS: SessionEvent[] = [
  'started',
  'granted',
  'answered',
  'missed',
  'expired',
  'retried',
  'close-asked',
  'ended',
];

const walk = (events: readonly SessionEvent[], from: SessionState = 'idle'): SessionState[] => {
  const path = [from];
  for (const event of events) path.push(nextSessionState(path.at(-1)!, event) ?? path.at(-1)!);
  return path;
};

it('goes through a life with a miss, a loss and a second lease', () => {
  const life: SessionEvent[] = [
    'started',
    'granted',
    'answered',
    'missed',
    'answered',
    'missed',
    'expired',
    'retried',
    'granted',
    'close-asked',
    'ended',
  ];
  expect(walk(life)).toEqual([
    'idle',
    'connecting',
    'active',
    'active',
    'suspect',
    'active',
    'suspect',
    'lost',
    'connecting',
    'active',
    'closing',
    'closed',
  ]);
});

it('holds in every sequence of events', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 40 }), (events) => {
      const path = walk(events);
      path.slice(1).forEach((state, index) => {
        const [before, event] = [path[index]!, events[index]!];
        // Only a grant gives a lease, and an answer brings back none that was lost.
        if (state === 'active' && !['active', 'suspect'].includes(before)) {
          expect([before, event]).toEqual(['connecting', 'granted']);
        }
        // Once asked to close it goes nowhere else, and closed is for good.
        if (before === 'closing') expect(['closing', 'closed']).toContain(state);
        if (before === 'closed') expect(state).toBe('closed');
        // It can be asked to close from everywhere.
        if (event === 'close-asked') expect(['closing', 'closed']).toContain(state);
        if (state === 'lost' && before !== 'lost') expect(event).toBe('expired');
      });
    }),
  );
});
