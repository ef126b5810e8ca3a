import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { ProberStage } from '../../../../../test/support/prober-stage.js';

/** Two failures in a row, the first of them half an interval after the start, and a delay's slack. */
const ONE_LOOK_MS = 1600;
const IDS = ['i1', 'i2', 'i3', 'i4', 'i5', 'i6'];

describe('a prober that sees most of its instances fail at once', () => {
  let stage: ProberStage;
  let warned: MockInstance;
  /** Who is cut off from all instances. */
  let cutOff: Set<string>;

  beforeEach(() => {
    for (const level of ['log', 'error'] as const) {
      vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    warned = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    stage = new ProberStage();
    cutOff = new Set();
    stage.probe = async (_, prober) => (cutOff.has(prober) ? 'its network is not there' : null);
  });
  afterEach(async () => {
    await stage.close();
    vi.restoreAllMocks();
  });

  const joins = { joins: true };
  const down = () => IDS.filter((id) => stage.verdictOn(id)?.state === 'down');
  const standing = () =>
    stage.candidates.value.map(({ id, doubts }) => (doubts ? `${id} doubts` : id));
  function registerAll() {
    for (const [at, id] of IDS.entries()) stage.register(id, { port: at + 1 });
  }

  it('leaves the probing to the next one, which finds them well', async () => {
    registerAll();
    const first = await stage.start('a', joins);
    const second = await stage.start('b', joins);
    cutOff.add('a');
    await stage.clock.advance(ONE_LOOK_MS);
    expect([down(), standing()]).toEqual([[], ['b', 'a doubts']]);
    expect([first.targets, second.targets]).toEqual([0, 6]);
    expect(warned.mock.calls.flat()).toEqual([
      expect.stringMatching(/^6 of the 6 .* fail at once/),
    ]);
    await stage.clock.advance(30_000);
    expect([down(), first.targets]).toEqual([[], 0]);
  });

  it('is believed when the next one sees the same', async () => {
    registerAll();
    await stage.start('a', joins);
    await stage.start('b', joins);
    for (const id of ['a', 'b']) cutOff.add(id);
    await stage.clock.advance(ONE_LOOK_MS);
    expect(down()).toEqual([]);
    await stage.clock.advance(ONE_LOOK_MS);
    expect([down(), stage.verdictOn('i1')?.by]).toEqual([IDS, 'b']);
    expect(standing()).toEqual(['b', 'a doubts']);
    cutOff.delete('b');
    await stage.clock.advance(3000);
    expect(down()).toEqual([]);
  });

  it('looks once more itself if nobody else stands, and then believes it', async () => {
    registerAll();
    await stage.start('a', joins);
    cutOff.add('a');
    await stage.clock.advance(ONE_LOOK_MS);
    expect([down(), standing()]).toEqual([[], ['a doubts']]);
    await stage.clock.advance(ONE_LOOK_MS);
    expect(down()).toEqual(IDS);
  });

  it('finds them well at its own second look, if it was a hiccup', async () => {
    registerAll();
    const prober = await stage.start('a', joins);
    cutOff.add('a');
    await stage.clock.advance(ONE_LOOK_MS);
    cutOff.clear();
    await stage.clock.advance(30_000);
    expect([down(), prober.targets]).toEqual([[], 6]);
  });

  it('keeps the verdicts that stand, as does the next one', async () => {
    registerAll();
    stage.probe = async ({ port }, prober) => (port === 1 || cutOff.has(prober) ? 'no' : null);
    await stage.start('a', joins);
    await stage.start('b', joins);
    await stage.clock.advance(ONE_LOOK_MS);
    expect(down()).toEqual(['i1']);
    cutOff.add('a');
    await stage.clock.advance(10_000);
    expect([down(), stage.verdictOn('i1')?.by, standing()]).toEqual([
      ['i1'],
      'a',
      ['b', 'a doubts'],
    ]);
  });

  it('is sure again after a while, at its new place, and doubts anew', async () => {
    registerAll();
    const first = await stage.start('a', joins);
    const second = await stage.start('b', joins);
    cutOff.add('a');
    await stage.clock.advance(55_000);
    expect(standing()).toEqual(['b', 'a doubts']);
    await stage.clock.advance(10_000);
    expect([standing(), second.targets]).toEqual([['b', 'a'], 6]);
    // The second one's sight is the first look at something new.
    cutOff = new Set(['b']);
    await stage.clock.advance(3000);
    expect([down(), standing(), first.targets]).toEqual([[], ['a', 'b doubts'], 6]);
  });

  it('has its doubt stand for as long as the second look may take', async () => {
    for (const id of IDS) stage.register(id, { spec: { intervalMs: 60_000, timeoutMs: 5000 } });
    await stage.start('a', joins);
    cutOff.add('a');
    await stage.clock.advance(91_000);
    expect([down(), standing()]).toEqual([[], ['a doubts']]);
    await stage.clock.advance(91_000);
    expect(down()).toEqual(IDS);
  });

  it('probes nothing on the way, though its old place is still shown', async () => {
    registerAll();
    stage.stand('a');
    const prober = await stage.start('a');
    cutOff.add('a');
    stage.refusal = new Error('no');
    await stage.clock.advance(5000);
    expect([down(), prober.targets]).toEqual([[], 0]);
  });

  it('stands again when it may, if it was refused to come back', async () => {
    registerAll();
    const first = await stage.start('a', joins);
    await stage.start('b', joins);
    cutOff.add('a');
    stage.refusal = new Error('no');
    await stage.clock.advance(15_000);
    expect(standing()).toEqual(['b']);
    stage.refusal = null;
    await stage.clock.advance(10_000);
    expect([standing(), first.targets]).toEqual([['b', 'a doubts'], 0]);
    await stage.clock.advance(61_000);
    expect(standing()).toEqual(['b', 'a']);
  });

  it('shares with nobody who doubts while somebody does not', async () => {
    registerAll();
    stage.stand({ id: 'a', doubts: true }, 'b', 'c', { id: 'd', doubts: true });
    const perProber = 2;
    const all = [];
    for (const id of ['a', 'b', 'c', 'd']) all.push(await stage.start(id, { perProber }));
    const [a, b, c, d] = all.map(({ targets }) => targets);
    expect([a, b! + c!, d]).toEqual([0, 6, 0]);
    stage.stand({ id: 'a', doubts: true }, { id: 'd', doubts: true });
    expect(all[0]!.targets + all[3]!.targets).toBe(6);
  });

  it('believes at once what is not most of them, or of fewer than five', async () => {
    registerAll();
    stage.probe = async ({ port }) => (port <= 3 ? 'no' : null);
    await stage.start('a', joins);
    await stage.clock.advance(ONE_LOOK_MS);
    expect(down()).toEqual(['i1', 'i2', 'i3']);
    // Three are left that were well.
    stage.probe = async () => 'no';
    await stage.clock.advance(2000);
    expect([down(), standing()]).toEqual([IDS, ['a']]);
  });

  it('waits for a word on the others where one failure is enough, and says it when most answer', async () => {
    const spec = { failures: 1 };
    for (const id of IDS.slice(1)) stage.register(id, { port: 2, spec });
    await stage.start('a', joins);
    await stage.clock.advance(700);
    // Its turn is between those of the others.
    stage.register('i1', { port: 1, spec });
    stage.probe = async ({ port }) => (port === 1 ? 'no' : null);
    await stage.clock.advance(600);
    expect([stage.asked.at(-1), down()]).toEqual([1, []]);
    await stage.clock.advance(400);
    expect(down()).toEqual(['i1']);
  });

  it('waits no longer for those that are asked rarely', async () => {
    for (const id of IDS.slice(1)) stage.register(id, { spec: { intervalMs: 3_600_000 } });
    stage.register('i1', { port: 1 });
    stage.probe = async ({ port }) => (port === 1 ? 'no' : null);
    await stage.start('a', joins);
    await stage.clock.advance(11_000);
    expect(down()).toEqual([]);
    await stage.clock.advance(1000);
    expect(down()).toEqual(['i1']);
  });

  it('forgets what it has held of one that answers again', async () => {
    for (const id of IDS.slice(1)) stage.register(id, { spec: { intervalMs: 3_600_000 } });
    stage.register('i1', { port: 1 });
    stage.probe = async () => 'no';
    await stage.start('a', joins);
    await stage.clock.advance(ONE_LOOK_MS);
    stage.probe = async () => null;
    await stage.clock.advance(20_000);
    expect(down()).toEqual([]);
  });

  it('begins anew with one that drained before anything was said of it', async () => {
    for (const id of IDS.slice(1)) stage.register(id, { spec: { intervalMs: 3_600_000 } });
    stage.register('i1');
    stage.probe = async () => 'no';
    await stage.start('a', joins);
    await stage.clock.advance(ONE_LOOK_MS);
    stage.register('i1', { state: 'draining' });
    await stage.clock.advance(20_000);
    expect(down()).toEqual([]);
    stage.register('i1');
    await stage.clock.advance(20_000);
    expect(down()).toEqual(['i1']);
  });

  it('leaves nothing when it closes on its way', async () => {
    registerAll();
    const prober = await stage.start('a', joins);
    cutOff.add('a');
    await stage.clock.advance(1499);
    const beyond = stage.clock.advance(1);
    await prober.close();
    await beyond;
    await stage.clock.advance(1000);
    expect([stage.clock.pending, standing(), prober.targets]).toEqual([0, [], 0]);
  });
});
