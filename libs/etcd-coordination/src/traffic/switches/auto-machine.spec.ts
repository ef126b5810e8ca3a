import { beforeEach, describe, expect, it } from 'vitest';
import { AutoMachine, type AutoState } from './auto-machine.js';
import { SWITCH_KIND, type AutoOptions, type AutoRule } from './switch-rule.js';

const LOOK_MS = 200;

function ruleOf(auto: AutoOptions): AutoRule {
  return SWITCH_KIND.read({ auto }).auto!;
}

describe('what an instance thinks of a switch by its own measure', () => {
  const rule = ruleOf({ errorRate: 0.5, p99Ms: 400, windowMs: 2000, recoverAfterMs: 1000 });
  let now: number;
  let machine: AutoMachine;

  beforeEach(() => {
    now = 1000;
    machine = new AutoMachine(rule, now);
  });

  function calls(count: number, outcome: { failed?: boolean; tookMs?: number } = {}): void {
    const { failed = false, tookMs = 1 } = outcome;
    for (let i = 0; i < count; i++) machine.window.ended(machine.window.began(), tookMs, failed);
  }
  /** Lets time pass, and gives what the machine went through. */
  function pass(ms: number, each: () => void = () => undefined): AutoState[] {
    const end = now + ms;
    const states: AutoState[] = [];
    while (now < end) {
      now += LOOK_MS;
      each();
      const step = machine.look(now);
      if (step) states.push(step.to);
    }
    return states;
  }
  const look = () => machine.look(now)?.why ?? null;

  it('is cut by failures, once there are calls enough to tell', () => {
    calls(19, { failed: true });
    expect(look()).toBeNull();
    calls(1, { failed: true });
    expect(look()).toBe('20 of 20 calls within 2000 ms failed (the limit is 50 %)');
    expect(machine.state).toBe('cut');
  });

  it('bears fewer failures than the rule names', () => {
    calls(21);
    calls(20, { failed: true });
    expect(look()).toBeNull();
    calls(1, { failed: true });
    expect(look()).toContain('21 of 42');
  });

  it('is cut when more than one of a hundred is slow, and by no single one', () => {
    calls(198);
    calls(2, { tookMs: 401 });
    expect(look()).toBeNull();
    calls(1, { tookMs: 401 });
    expect(look()).toBe(
      '3 of 201 calls within 2000 ms took longer than 400 ms (one of a hundred may)',
    );
    machine = new AutoMachine(rule, now);
    calls(298);
    calls(3, { tookMs: 400 });
    calls(2, { tookMs: 401 });
    expect(look()).toBeNull();
  });

  it('is cut by calls that hang, as soon as they have taken too long', () => {
    for (let i = 0; i < 20; i++) machine.window.began();
    expect(pass(LOOK_MS * 2)).toEqual([]);
    expect(pass(LOOK_MS * 2)).toEqual(['cut']);
  });

  it('forgets what is older than the window', () => {
    calls(19, { failed: true });
    pass(2600);
    calls(19, { failed: true });
    expect(look()).toBeNull();
  });

  it('rests, tries, and goes on when the trial went well', () => {
    calls(20, { failed: true });
    expect(pass(LOOK_MS)).toEqual(['cut']);
    expect(pass(800)).toEqual([]);
    expect(pass(LOOK_MS)).toEqual(['trial']);
    expect(pass(1800, () => calls(1))).toEqual([]);
    expect(pass(LOOK_MS)).toEqual(['on']);
  });

  it('ends a trial that goes wrong at once, and rests for twice as long each time', () => {
    calls(20, { failed: true });
    const fails = () => machine.state === 'trial' && calls(1, { failed: true });
    pass(LOOK_MS);
    const rests: number[] = [];
    for (let i = 0; i < 6; i++) {
      const since = now;
      while (machine.state === 'cut') pass(LOOK_MS);
      rests.push(now - since);
      expect(machine.state).toBe('trial');
      expect(pass(LOOK_MS * 5, fails)).toEqual(['cut']);
    }
    expect(rests).toEqual([1000, 2000, 4000, 8000, 16_000, 16_000]);
  });

  it('goes on, tried by nobody; and is not judged by fewer than it takes', () => {
    calls(20, { failed: true });
    expect(pass(LOOK_MS + 1000)).toEqual(['cut', 'trial']);
    expect(pass(2000)).toEqual(['on']);
  });

  it('is judged at the end of a trial by as few calls as there were', () => {
    calls(20, { failed: true });
    pass(LOOK_MS + 1000);
    calls(1, { failed: true });
    expect(pass(1800)).toEqual([]);
    expect(pass(LOOK_MS)).toEqual(['cut']);
  });

  it('has to be well on trial, and not only less ill', () => {
    calls(20, { failed: true });
    pass(LOOK_MS + 1000);
    calls(6);
    calls(2, { failed: true });
    expect(look()).toContain('2 of 8 calls within 2000 ms failed (the limit is 25 %)');
  });

  it('does not judge a trial by calls that began before it', () => {
    const hanging = Array.from({ length: 20 }, () => machine.window.began());
    expect(pass(800)).toEqual(['cut']);
    expect(pass(1000)).toEqual(['trial']);
    for (const since of hanging) machine.window.ended(since, 1800, true);
    expect(pass(2000)).toEqual(['on']);
  });

  it('is not tried while the event loop is held up', () => {
    machine = new AutoMachine(ruleOf({ eventLoopDelayMs: 100, recoverAfterMs: 1000 }), now);
    const heldUp = () => machine.window.heldUp();
    heldUp();
    heldUp();
    expect(pass(LOOK_MS)).toEqual([]);
    expect(pass(LOOK_MS, heldUp)).toEqual(['cut']);
    expect(pass(20_000, heldUp)).toEqual([]);
    // For as long as the window remembers it, and the rest.
    expect(pass(11_200)).toEqual(['trial']);
  });

  it('goes on from where it was by other numbers', () => {
    calls(20, { failed: true });
    pass(LOOK_MS);
    machine = new AutoMachine(ruleOf({ errorRate: 0.9, recoverAfterMs: 400 }), now, machine);
    expect(machine.state).toBe('cut');
    expect(pass(400)).toEqual(['trial']);
  });
});
