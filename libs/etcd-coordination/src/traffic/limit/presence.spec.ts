import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { GRACE_MS, Presence } from './presence.js';

function present(isWithoutEtcd = false, goesOn = false, isWatched = () => true) {
  const clock = new VirtualClock();
  const told = { heldUp: () => undefined, joined: () => undefined, isWatched };
  return { clock, presence: new Presence(clock, isWithoutEtcd, goesOn, told) };
}

describe('the presence of a newcomer', () => {
  it('begins when it was heard of, and the others have had the time to hear of it', async () => {
    const { clock, presence } = present();
    presence.beats(1, clock.now());
    presence.heard(1, clock.now());
    await clock.advance(GRACE_MS - 1);
    expect(presence.admits(clock.now())).toBe(false);
    await clock.advance(1);
    expect(presence.admits(clock.now())).toBe(true);
    await presence.joined();
  });

  it('is refused only for as long as etcd refuses it', async () => {
    const { clock, presence } = present();
    presence.refused(new Error('no permission'));
    await expect(presence.joined()).rejects.toThrow('no permission');
    presence.beats(1, clock.now());
    presence.heard(1, clock.now());
    const joined = presence.joined();
    await clock.advance(GRACE_MS);
    await joined;
  });

  it('is not refused any more where it was there all along', async () => {
    const { clock, presence } = present(true);
    presence.refused(new Error('no permission'));
    await clock.advance(0);
    expect(presence.admits(clock.now())).toBe(true);
    presence.beats(1, clock.now());
    presence.heard(1, clock.now());
    await presence.joined();
  });

  it('has its share while it joins if it had a limit of its own, unless it is held up', async () => {
    const { clock, presence } = present(false, true);
    expect(presence.admits(clock.now())).toBe(true);
    clock.freeze(800);
    presence.turn(clock.now());
    expect(presence.admits(clock.now())).toBe(false);
    expect(presence.isHeldUp(clock.now())).toBe(true);
    presence.beats(1, clock.now());
    presence.heard(1, clock.now());
    expect(presence.admits(clock.now())).toBe(true);
    presence.close();
  });

  it('is not interrupted by being held up where nobody takes it for dead', async () => {
    let isWatched = false;
    const { clock, presence } = present(true, false, () => isWatched);
    await clock.advance(0);
    clock.freeze(5000);
    presence.turn(clock.now());
    expect(presence.admits(clock.now())).toBe(true);
    isWatched = true;
    clock.freeze(5000);
    presence.turn(clock.now());
    expect(presence.admits(clock.now())).toBe(false);
  });

  it('leaves no timer when it is over, though its own beat is heard once more', () => {
    const { clock, presence } = present();
    presence.beats(1, clock.now());
    presence.close();
    expect(presence.heard(1, clock.now())).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
