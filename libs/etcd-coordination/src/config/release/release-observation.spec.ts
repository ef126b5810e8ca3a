import { describe, expect, it } from 'vitest';
import { ReleaseObservation, whatItWaitsFor, type ReleaseSight } from './release-observation.js';
import { readReleasePlan, type ReleasePlanOptions } from './release-plan.js';
import type { ReleaseRecord } from './release-record.js';
import type { ReleaseReport, StandingReport } from './release-report.js';
import { nextRelease, startRelease, type ReleaseEvent } from './release-transitions.js';

/** A release, the instances of it, and one controller's clock. */
class Scene {
  now = 0;
  record: ReleaseRecord;
  layerRevision = '7';
  document: ReleaseSight['document'] = 'own';
  readonly reports = new Map<string, StandingReport>();
  private revision = 10;
  private observation = new ReleaseObservation(0, { gatherMs: 1000, vanishedMs: 3000 });

  constructor(options: ReleasePlanOptions = {}) {
    const plan = readReleasePlan('prices', {
      ...{ steps: [50, 100], observeMs: 60_000, applyTimeoutMs: 30_000 },
      ...options,
    });
    const start = { id: 'r1', layer: 'shared', format: 'json', base: '7', sha256: '' } as const;
    const by = { id: 't', by: 'ann', at: new Date(0) };
    this.record = startRelease({ ...start, author: 'ann', reason: null, plan }, by);
  }

  get sight(): ReleaseSight {
    const { record, reports, layerRevision, document } = this;
    return { record, reports, layerRevision, document };
  }

  report(instanceId: string, changes: Partial<ReleaseReport> = {}): void {
    this.reports.set(instanceId, {
      ...{ instanceId, releaseId: 'r1', state: 'waiting', reason: null, labels: {} },
      ...{ healthy: true, healthyBefore: true, hasBeenWell: true, leaving: false },
      ...this.reports.get(instanceId),
      ...changes,
      modRevision: `${(this.revision += 1)}`,
    });
  }

  look() {
    return this.observation.look(this.now, this.sight);
  }

  /** What is to happen, which then happens. */
  happens(): string {
    const { event } = this.look();
    if (!event) return 'nothing';
    this.enter(event);
    return event.type === 'roll-back' ? `roll-back: ${event.what}` : event.type;
  }

  enter(event: ReleaseEvent): void {
    const by = { id: `t${(this.revision += 1)}`, by: 'me', at: new Date(0) };
    this.record = nextRelease(this.record, event, by)!;
  }

  /** All targets apply it. */
  apply(): void {
    for (const id of this.record.targets) this.report(id, { state: 'applied' });
  }

  /** Another instance takes over. */
  takeOver(): void {
    this.observation = new ReleaseObservation(this.now, { gatherMs: 1000, vanishedMs: 3000 });
  }
}

/** Four instances, two of which have been told to apply it. */
function begun(options: ReleasePlanOptions = {}): Scene & { first: string; second: string } {
  const scene = new Scene(options);
  for (const id of ['a', 'b', 'c', 'd']) scene.report(id);
  scene.now = 1000;
  expect(scene.happens()).toBe('widen');
  const [first, second] = scene.record.targets as [string, string];
  return Object.assign(scene, { first, second });
}

describe('a controller', () => {
  it('gathers for a second, and then goes step by step, each watched for its time', () => {
    const scene = new Scene();
    for (const id of ['a', 'b', 'c', 'd']) scene.report(id);
    scene.now = 999;
    expect(scene.look()).toMatchObject({ event: null, until: 1000 });
    scene.now = 1000;
    expect(scene.happens()).toBe('widen');
    expect(scene.record).toMatchObject({ step: 1, targets: { length: 2 } });
    expect(scene.look()).toMatchObject({ event: null, until: 31_000 });
    scene.now = 5000;
    scene.apply();
    expect(scene.look()).toMatchObject({ event: null, until: 65_000 });
    scene.now = 64_999;
    expect(scene.happens()).toBe('nothing');
    scene.now = 65_000;
    expect(scene.happens()).toBe('widen');
    expect(scene.record).toMatchObject({ step: 2, targets: { length: 4 } });
    // The first ones have applied it, and it is a new step all the same.
    scene.look();
    scene.now = 70_000;
    expect(scene.look()).toMatchObject({ event: null, until: 95_000 });
    scene.apply();
    expect(scene.look()).toMatchObject({ event: null, until: 130_000 });
    scene.now = 130_000;
    expect(scene.happens()).toBe('promote');
    expect(scene.record.state).toBe('promoted');
  });

  it('waits for somebody to be there, and for somebody with the labels', () => {
    const labels = { canary: 'yes' };
    const scene = new Scene({ labels });
    scene.now = 5000;
    expect(scene.look()).toMatchObject({ event: null, until: null });
    expect(whatItWaitsFor(scene.sight)).toContain('an instance that follows the configuration');
    scene.report('a');
    expect(scene.look()).toMatchObject({ event: null, until: null });
    expect(whatItWaitsFor(scene.sight)).toContain('{"canary":"yes"}; 1 are here without them');
    scene.report('b', { labels, leaving: true });
    expect(scene.happens()).toBe('nothing');
    scene.report('c', { labels });
    expect(scene.happens()).toBe('widen');
    expect(scene.record.targets).toEqual(['c']);
  });

  it('takes it back when a target is well no more, and says which and why', () => {
    const scene = begun();
    scene.apply();
    scene.report(scene.second, { healthy: false, reason: 'the queue grows' });
    expect(scene.happens()).toBe(
      `roll-back: the instance "${scene.second}" was well before it applied it, and is not any more: the queue grows`,
    );
  });

  const NEVER_WELL = { healthy: false, healthyBefore: false, hasBeenWell: false };

  it('does not hold against it that another instance is unwell', () => {
    const scene = begun();
    scene.apply();
    for (const id of ['a', 'b', 'c', 'd']) {
      if (!scene.record.targets.includes(id)) scene.report(id, { healthy: false });
    }
    scene.look();
    scene.now += 60_000;
    expect(scene.happens()).toBe('widen');
  });

  it('waits visibly for a target that was unwell before, and observes once it is well', () => {
    const scene = begun();
    scene.apply();
    scene.report(scene.first, { ...NEVER_WELL, reason: 'no database' });
    scene.look();
    scene.now += 1e6;
    const waitsFor = `the instance "${scene.first}" to be well (no database)`;
    expect(scene.look()).toEqual({ event: null, until: null, waitsFor });
    expect(whatItWaitsFor(scene.sight)).toBe(waitsFor);
    scene.report(scene.first, { healthy: true, hasBeenWell: true, reason: null });
    expect(scene.look()).toMatchObject({ event: null, until: scene.now + 60_000 });
    expect(whatItWaitsFor(scene.sight)).toBe('60000 ms to pass with every instance well');
    scene.now += 60_000;
    expect(scene.happens()).toBe('widen');
  });

  it('takes it back when a target that was unwell before became well with it, and is not any more', () => {
    const scene = begun();
    scene.apply();
    scene.report(scene.first, { ...NEVER_WELL, healthy: true, hasBeenWell: true });
    expect(scene.happens()).toBe('nothing');
    scene.report(scene.first, { healthy: false, reason: 'sick of it' });
    expect(scene.happens()).toBe(
      `roll-back: the instance "${scene.first}" was well once it had applied it, and is not any more: sick of it`,
    );
  });

  it('observes anew after a word that it has not seen itself', () => {
    const scene = begun();
    scene.apply();
    scene.look();
    scene.now += 59_000;
    // Unwell and well again between two looks: what is seen is another revision of the same word.
    scene.report(scene.first);
    expect(scene.look()).toMatchObject({ event: null, until: scene.now + 60_000 });
  });

  it('observes anew after a pause, seen or not', () => {
    const scene = begun();
    scene.apply();
    scene.look();
    scene.now += 50_000;
    scene.enter({ type: 'pause', what: 'lunch' });
    scene.enter({ type: 'resume', what: 'fed' });
    expect(scene.look()).toMatchObject({ event: null, until: scene.now + 60_000 });
    scene.now += 50_000;
    scene.enter({ type: 'pause', what: 'tea' });
    scene.look();
    scene.now += 50_000;
    scene.enter({ type: 'resume', what: 'drunk' });
    expect(scene.look()).toMatchObject({ event: null, until: scene.now + 60_000 });
  });

  it('takes it back when a target rejects it', () => {
    const scene = begun();
    scene.report(scene.first, { state: 'rejected', reason: 'no number' });
    expect(scene.happens()).toBe(`roll-back: the instance "${scene.first}" rejected it: no number`);
  });

  it('takes it back when a target does not apply it in time, and says which', () => {
    const scene = begun();
    scene.look();
    scene.report(scene.first, { state: 'applied' });
    scene.report(scene.second, { reason: 'it is busy' });
    scene.now = 30_999;
    expect(scene.happens()).toBe('nothing');
    scene.now = 31_000;
    expect(scene.happens()).toBe(
      `roll-back: the instance "${scene.second}" did not apply it within 30000 ms: it is busy`,
    );
  });

  it('gives a target that comes back in the middle of a step its own time, and watches anew', () => {
    const scene = begun();
    scene.apply();
    scene.look();
    scene.now += 50_000;
    scene.report(scene.first, { state: 'waiting' });
    expect(scene.look()).toMatchObject({ event: null, until: 81_000 });
    scene.now += 20_000;
    scene.report(scene.first, { state: 'applied' });
    expect(scene.look()).toMatchObject({ event: null, until: 131_000 });
  });

  it('takes it back when a target vanishes, but not before it could have come back', () => {
    const scene = begun();
    scene.apply();
    scene.look();
    scene.now = 10_000;
    scene.reports.delete(scene.first);
    expect(scene.look()).toMatchObject({ event: null, until: 13_000 });
    scene.now = 12_999;
    scene.report(scene.first, { state: 'applied' });
    // It was not seen to be well all the time.
    expect(scene.look()).toMatchObject({ event: null, until: 72_999 });
    scene.reports.delete(scene.first);
    expect(scene.happens()).toBe('nothing');
    scene.now = 15_999;
    expect(scene.happens()).toBe(
      `roll-back: the instance "${scene.first}" vanished without saying that it leaves`,
    );
  });

  it('neither blames nor waits for a target that leaves in good order', () => {
    const scene = begun();
    scene.report(scene.first, { state: 'applied', leaving: true, healthy: false });
    scene.report(scene.second, { state: 'applied' });
    scene.look();
    scene.now += 60_000;
    expect(scene.happens()).toBe('widen');
    // Half were there; now it is all of the three that are left.
    expect(scene.record.targets).toHaveLength(4);
  });

  it('chooses others when all targets of a step have left', () => {
    const scene = begun();
    scene.report(scene.first, { leaving: true });
    scene.report(scene.second, { leaving: true });
    expect(scene.happens()).toBe('replace');
    expect(scene.record).toMatchObject({ step: 1, targets: { length: 3 } });
    scene.look();
    scene.apply();
    for (const id of [scene.first, scene.second]) scene.report(id, { leaving: true });
    scene.look();
    scene.now += 60_000;
    expect(scene.happens()).toBe('widen');
  });

  it('takes it back when the layer was changed, or the document deleted or overwritten, by others', () => {
    const changed = begun();
    changed.layerRevision = '9';
    expect(changed.happens()).toContain('roll-back: the layer "shared" was changed');
    const deleted = begun();
    deleted.document = 'missing';
    expect(deleted.happens()).toBe('roll-back: its document was deleted');
    const overwritten = begun();
    overwritten.document = 'other';
    // Its canaries have seen it too, and say so: the cause is told all the same.
    overwritten.report(overwritten.first, { state: 'rejected', reason: 'not mine' });
    expect(overwritten.happens()).toBe('roll-back: its document was overwritten by others');
  });

  it('does not widen a paused one, but takes it back', () => {
    const scene = begun();
    scene.record = { ...scene.record, state: 'paused' };
    scene.apply();
    scene.look();
    scene.now += 1e6;
    expect(scene.happens()).toBe('nothing');
    scene.report(scene.first, { healthy: false });
    expect(scene.happens()).toContain('roll-back');
  });

  it('does not begin a paused one, and begins it when it is resumed', () => {
    const scene = new Scene();
    scene.report('a');
    scene.record = { ...scene.record, state: 'paused' };
    scene.now = 2000;
    expect(scene.happens()).toBe('nothing');
    scene.record = { ...scene.record, state: 'rolling' };
    expect(scene.happens()).toBe('widen');
  });

  it('that takes over watches the step from the beginning, and knows who left before it', () => {
    const scene = begun();
    scene.apply();
    scene.report(scene.first, { leaving: true });
    scene.look();
    scene.now = 50_000;
    scene.takeOver();
    expect(scene.look()).toMatchObject({ event: null, until: 110_000 });
    scene.reports.delete(scene.second);
    expect(scene.look()).toMatchObject({ event: null, until: 53_000 });
  });
});
