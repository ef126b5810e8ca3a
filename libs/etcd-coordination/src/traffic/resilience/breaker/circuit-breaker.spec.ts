import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../../../test/support/virtual-clock.js';
import { BreakerOpenError } from '../resilience.errors.js';
import { type BreakerNumbers, type BreakerState, CircuitBreaker } from './circuit-breaker.js';

const failure = new Error('down');
const NUMBERS: BreakerNumbers = {
  kind: 'consecutive',
  failures: 3,
  threshold: 0.5,
  windowMs: 10_000,
  minCalls: 10,
  openMs: 5000,
  halfOpenCalls: 1,
};

let clock: VirtualClock;
let states: BreakerState[];
let breaker: CircuitBreaker;

beforeEach(() => {
  clock = new VirtualClock();
  use({});
});

function use(numbers: Partial<BreakerNumbers>): void {
  states = [];
  breaker = new CircuitBreaker('stock', clock, { ...NUMBERS, ...numbers }, () =>
    states.push(breaker.status.state),
  );
}

function fail(times = 1): void {
  for (let i = 0; i < times; i++) breaker.failed(breaker.enter(), failure);
}

function succeed(times = 1): void {
  for (let i = 0; i < times; i++) breaker.succeeded(breaker.enter());
}

function refusal(): BreakerOpenError {
  try {
    breaker.enter();
  } catch (error) {
    return error as BreakerOpenError;
  }
  throw new Error('The breaker let the call in.');
}

describe('a breaker that counts failures in a row', () => {
  it('opens with the last of them', () => {
    fail(2);
    expect(breaker.status.state).toBe('closed');
    fail();

    expect(breaker.status).toEqual({
      policy: 'stock',
      state: 'open',
      retryAfterMs: 5000,
      lastFailure: failure,
    });
  });

  it('begins anew with each success', () => {
    fail(2);
    succeed();
    fail(2);

    expect(breaker.status.state).toBe('closed');
  });

  it('counts nothing that says nothing', () => {
    fail(2);
    breaker.abandoned(breaker.enter());
    fail();

    expect(breaker.status.state).toBe('open');
  });
});

describe('a breaker that looks at the share of failures', () => {
  beforeEach(() => use({ kind: 'ratio' }));

  it('opens once that is reached', () => {
    succeed(6);
    fail(5);
    expect(breaker.status.state).toBe('closed');
    fail();

    expect(breaker.status.state).toBe('open');
  });

  it('opens of no fewer calls than it is told', () => {
    fail(9);
    expect(breaker.status.state).toBe('closed');
    fail();

    expect(breaker.status.state).toBe('open');
  });

  it('forgets calls as their time passes', () => {
    fail(9);
    clock.freeze(10_000);
    fail(9);
    expect(breaker.status.state).toBe('closed');
    clock.freeze(8000);
    fail();

    expect(breaker.status.state).toBe('open');
  });
});

describe('an open breaker', () => {
  beforeEach(() => fail(3));

  it('refuses calls and says when to try again, and why', () => {
    clock.freeze(2000);

    expect(refusal()).toBeInstanceOf(BreakerOpenError);
    expect(refusal()).toMatchObject({
      code: 'BREAKER_OPEN',
      statusCode: 503,
      state: 'open',
      retryAfterMs: 3000,
      cause: failure,
    });
    expect(refusal().message).toContain('"stock" is open');
  });

  it('lets one call in on trial after its time, and closes if that succeeds', () => {
    clock.freeze(5000);
    const trial = breaker.enter();
    expect(refusal()).toMatchObject({ state: 'half-open', retryAfterMs: null });
    breaker.succeeded(trial);

    succeed();
    expect(states).toEqual(['open', 'half-open', 'closed']);
    expect(breaker.status.lastFailure).toBeUndefined();
  });

  it('opens again for its whole time if that fails', () => {
    clock.freeze(6000);
    fail();

    expect(refusal()).toMatchObject({ state: 'open', retryAfterMs: 5000 });
  });

  it('lets another call in for one that said nothing', () => {
    clock.freeze(5000);
    breaker.abandoned(breaker.enter());
    succeed();

    expect(breaker.status.state).toBe('closed');
  });

  it('hears nothing of calls that began before it opened', () => {
    use({});
    const early = breaker.enter();
    const earlier = breaker.enter();
    fail(3);
    breaker.succeeded(early);
    expect(breaker.status.state).toBe('open');
    clock.freeze(5000);
    const trial = breaker.enter();
    breaker.failed(earlier, failure);
    expect(breaker.status.state).toBe('half-open');
    breaker.succeeded(trial);

    expect(breaker.status.state).toBe('closed');
  });

  it('waits for no trial that never ends', () => {
    clock.freeze(5000);
    const hung = breaker.enter();
    clock.freeze(4999);
    expect(refusal()).toMatchObject({ state: 'half-open' });
    clock.freeze(1);
    const next = breaker.enter();
    breaker.failed(hung, failure);
    expect(breaker.status.state).toBe('half-open');
    breaker.succeeded(next);

    expect(breaker.status.state).toBe('closed');
  });
});

describe('a half-open breaker of several trials', () => {
  beforeEach(() => {
    use({ halfOpenCalls: 3 });
    fail(3);
    clock.freeze(5000);
  });

  it('lets so many in at a time, and closes when as many have succeeded', () => {
    const trials = [breaker.enter(), breaker.enter(), breaker.enter()];
    expect(refusal()).toMatchObject({ state: 'half-open' });
    breaker.succeeded(trials[0]!);
    const fourth = breaker.enter();
    expect(refusal()).toMatchObject({ state: 'half-open' });
    breaker.succeeded(trials[1]!);
    expect(breaker.status.state).toBe('half-open');
    breaker.succeeded(fourth);

    expect(breaker.status.state).toBe('closed');
  });

  it('opens again when one fails, whatever the others do', () => {
    const [first, second, third] = [breaker.enter(), breaker.enter(), breaker.enter()];
    breaker.succeeded(first);
    breaker.failed(second, failure);
    breaker.succeeded(third);

    expect(states).toEqual(['open', 'half-open', 'open']);
  });
});

describe('a breaker that is isolated', () => {
  it('refuses calls until it is released', () => {
    breaker.isolate();
    clock.freeze(60_000);
    expect(refusal()).toMatchObject({ state: 'isolated', retryAfterMs: null });
    breaker.release();

    succeed();
    expect(states).toEqual(['isolated', 'closed']);
  });

  it('hears nothing of calls that began before', () => {
    const early = [breaker.enter(), breaker.enter(), breaker.enter()];
    breaker.isolate();
    for (const pass of early) breaker.failed(pass, failure);
    expect(breaker.status.state).toBe('isolated');
    breaker.release();
    for (const pass of early) breaker.failed(pass, failure);

    expect(breaker.status.state).toBe('closed');
  });
});

describe('a breaker whose numbers are turned', () => {
  it('keeps what it has counted', () => {
    fail(2);
    breaker.turn({ ...NUMBERS, failures: 4 });
    fail();
    expect(breaker.status.state).toBe('closed');
    fail();

    expect(breaker.status.state).toBe('open');
  });

  it('keeps the calls of its window', () => {
    use({ kind: 'ratio' });
    fail(5);
    breaker.turn({ ...NUMBERS, kind: 'ratio', minCalls: 6 });
    fail();

    expect(breaker.status.state).toBe('open');
  });

  it('counts anew in another way', () => {
    fail(2);
    breaker.turn({ ...NUMBERS, kind: 'ratio' });
    fail(9);
    expect(breaker.status.state).toBe('closed');
    fail();

    expect(breaker.status.state).toBe('open');
  });

  it('stays open, for the new time from when it opened', () => {
    fail(3);
    clock.freeze(1000);
    breaker.turn({ ...NUMBERS, openMs: 2000 });
    expect(refusal()).toMatchObject({ state: 'open', retryAfterMs: 1000 });
    clock.freeze(1000);
    succeed();

    expect(breaker.status.state).toBe('closed');
  });
});
