import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FanOut } from './fan-out.js';

describe('a fan-out', () => {
  const logged = vi.fn<(text: string, stack?: string) => void>();
  let fanOut: FanOut<number>;
  let told: string[];

  beforeEach(() => {
    logged.mockReset();
    vi.spyOn(Logger.prototype, 'error').mockImplementation(logged);
    fanOut = new FanOut('ns/orders/', new Logger('test'));
    told = [];
  });
  afterEach(() => vi.restoreAllMocks());

  const into = (name: string) => (news: number) => void told.push(`${name} ${news}`);

  it('tells all, in the order in which they came, until each leaves', () => {
    const leave = fanOut.add(into('first'));
    fanOut.add(into('second'));
    fanOut.tell(1);
    leave();
    leave();
    fanOut.tell(2);
    fanOut.clear();
    fanOut.tell(3);
    expect(told).toEqual(['first 1', 'second 1', 'second 2']);
  });

  it('goes on past one that throws, and logs what it follows and why', () => {
    const fault = new Error('my fault');
    fanOut.add(() => {
      throw fault;
    });
    fanOut.add(into('other'));
    fanOut.tell(1);
    fanOut.tell(2);
    expect(told).toEqual(['other 1', 'other 2']);
    const line = 'Something that follows ns/orders/ failed; it goes on with the next change';
    expect(logged.mock.calls).toEqual(
      Array.from({ length: 2 }, () => [`${line}: Error: my fault`, fault.stack]),
    );
  });

  it('lets them come and go while all are told: that counts from the next time on', () => {
    let begun = false;
    const leave = fanOut.add((news) => {
      into('leaving')(news);
      leave();
      leaveLast();
      if (!begun) fanOut.add(into('late'));
      begun = true;
    });
    const leaveLast = fanOut.add(into('last'));
    fanOut.tell(1);
    fanOut.tell(2);
    expect(told).toEqual(['leaving 1', 'last 1', 'late 2']);
  });

  it('tells one that was added twice twice, and ends each by itself', () => {
    const follower = into('same');
    const leave = fanOut.add(follower);
    fanOut.add(follower);
    fanOut.tell(1);
    leave();
    fanOut.tell(2);
    expect(told).toEqual(['same 1', 'same 1', 'same 2']);
  });
});
