import { Logger } from '@nestjs/common';
import { ClientClosedError, RequestTooLargeError } from '../../client/etcd.errors.js';
import {
  configCandidateKey,
  configLayerKey,
  configReleaseKey,
  configReportsPrefix,
} from '../../client/keys.js';
import { retryDelay } from '../../client/retry-delay.js';
import { systemClock, type MonotonicClock } from '../../client/clock.js';
import { PrefixView } from '../../watch/prefix-view.js';
import type { WatchHub } from '../../watch/watch-hub.js';
import { layerPath } from '../config-layer.js';
import { ConfigTooLargeError } from '../config.errors.js';
import { Bell } from '../../client/bell.js';
import type { FollowedConfig } from './followed-config.js';
import type { ReleaseTerm } from './release-leadership.js';
import {
  ReleaseObservation,
  type ObservationTimings,
  type ReleaseSight,
} from './release-observation.js';
import { digestOf, isUnderWay } from './release-record.js';
import {
  reportsOf,
  standingRecord,
  type FoundRelease,
  type ReleasePlace,
  type ReleaseStore,
} from './release-store.js';
import type { ReleaseEvent } from './release-transitions.js';

/*
 * What a controller does, by what it sees of the release. Whatever comes first in this table
 * happens first; each row where it does not wait is one transaction, and the record says what it was.
 * `observeMs` begins anew with every transition, a pause and its end included, and whenever one of
 * the targets says anything but that it is well, or its word was gone.
 *
 *   state            what is seen                                       what happens     then
 *   rolling, paused  the layer or the document was changed by others    roll-back        rolled-back
 *   rolling, paused  a target rejected it                               roll-back        rolled-back
 *   rolling, paused  a target with it was well, and is not any more     roll-back        rolled-back
 *   rolling, paused  a target's report is gone, and not put again       roll-back        rolled-back
 *   rolling          a second has passed, and no target is chosen       widen            rolling, step 1
 *   rolling          every target of the step has left in good order    replace          rolling, same step
 *   rolling          a target has not applied it in time                roll-back        rolled-back
 *   rolling          a target with it is unwell, and always was         it waits         rolling
 *   rolling          all with it have been well for observeMs on end    widen            rolling, next step
 *   rolling          the same, and it was the last step                 promote          promoted
 *   any              anything else                                      it waits
 *
 * An operator's pause, resume, promote and abort are transactions on the same record, and compare
 * its mod revision as the controller's do: of two at once one is applied, and the other looks again.
 * The controller's also compare its term's key, so one that was frozen changes nothing when it wakes.
 *
 * All that must outlive a controller is in the record. The times of a step are not: the next
 * controller has its own clock, and watches the step that it finds from the beginning. What it
 * decides on is read anew, linearizably, before it acts: a watch that lags shows an instance well
 * that is not any more.
 */

/** What a controller works with. */
export interface ControllerGround extends ReleasePlace {
  readonly watch: WatchHub;
  /** The instance, for the record. */
  readonly instanceId: string;
  readonly store: ReleaseStore;
  readonly clock?: MonotonicClock;
  readonly timings?: ObservationTimings;
}

const RETRY = { initialDelayMs: 100, maxDelayMs: 5000 };
/** After a transition that was refused, what was not seen yet is given so long to show itself. */
const RELOOK_MS = 500;

/** Widens the release of one configuration step by step, or takes it back, for one term. */
export class ReleaseController {
  private readonly logger = new Logger('ConfigReleases');
  private readonly clock: MonotonicClock;
  private readonly bell: Bell;

  constructor(
    private readonly ground: ControllerGround,
    private readonly config: FollowedConfig,
    private readonly term: ReleaseTerm,
  ) {
    this.clock = ground.clock ?? systemClock;
    this.bell = new Bell(this.clock);
  }

  /** Resolves when the term or the release is over. */
  async run(): Promise<void> {
    const { client, watch, namespace } = this.ground;
    const { live, key } = this.config;
    const { signal } = this.term;
    const reports = new PrefixView(client, watch, configReportsPrefix(namespace, key));
    const unsubscribe = [live, reports].map((view) => view.subscribe(this.bell.ring));
    signal.addEventListener('abort', this.bell.ring, { once: true });
    try {
      await this.control(reports);
    } finally {
      signal.removeEventListener('abort', this.bell.ring);
      for (const end of unsubscribe) end();
      reports.close();
    }
  }

  private async control(reports: PrefixView): Promise<void> {
    let observation: ReleaseObservation | null = null;
    for (let failures = 0; !this.term.signal.aborted;) {
      const { live } = this.config;
      const refused = live.error ?? reports.error;
      if (refused instanceof ClientClosedError) return;
      if (refused) {
        // Another instance may be allowed to; if there is none, this one leads again at once.
        await this.bell.next(this.clock.now() + RETRY.maxDelayMs);
        throw refused;
      }
      if (!live.synced || !reports.synced) {
        await this.bell.next();
        continue;
      }
      const seen = this.see(reports);
      if (!seen) return;
      observation ??= new ReleaseObservation(this.clock.now(), this.ground.timings);
      const decision = observation.look(this.clock.now(), this.sightOf(seen));
      if (!decision.event) {
        await this.bell.next(decision.until);
        continue;
      }
      try {
        const isDone = await this.act(seen, observation);
        failures = 0;
        // Nothing is decided twice on what is known to be old.
        await this.bell.next(isDone ? null : this.clock.now() + RELOOK_MS);
      } catch (error) {
        if (error instanceof ClientClosedError) return;
        failures += 1;
        if (failures === 1) {
          this.logger.warn(
            `The release of "${this.config.key}" cannot go on yet, it is tried again: ${String(error)}`,
          );
        }
        await this.bell.next(this.clock.now() + retryDelay(failures, RETRY));
      }
    }
  }

  /** Decides anew on what etcd says now, and does it. Resolves with whether there is something new to be seen. */
  private async act(seen: FoundRelease, observation: ReleaseObservation): Promise<boolean> {
    const now = await this.ground.store.read(this.config.key, seen.record.layer);
    if (now.modRevision !== seen.modRevision) return false;
    // Another document is to be seen first: only its revision was read.
    if (now.candidateRevision !== seen.candidateRevision) return false;
    const current: FoundRelease = { ...now, record: seen.record };
    const decision = observation.look(this.clock.now(), this.sightOf(current));
    if (!decision.event) return false;
    return this.apply(current, decision.event);
  }

  private async apply(current: FoundRelease, event: ReleaseEvent): Promise<boolean> {
    const { store, instanceId } = this.ground;
    const { key } = this.config;
    const { fence, signal } = this.term;
    if (signal.aborted) return false;
    try {
      const next = await store.change(key, current, event, instanceId, fence);
      if (next) this.log(event);
      return next !== null;
    } catch (error) {
      const isHopeless =
        error instanceof ConfigTooLargeError || error instanceof RequestTooLargeError;
      if (event.type !== 'promote' || !isHopeless) throw error;
      return this.apply(current, { type: 'roll-back', what: error.message });
    }
  }

  private see(reports: PrefixView): FoundRelease | null {
    const { namespace } = this.ground;
    const { key, live } = this.config;
    const at = (path: string) => live.entries.get(path);
    const { record, modRevision } = standingRecord(at(configReleaseKey(namespace, key)));
    if (!isUnderWay(record)) return null;
    const layer = at(configLayerKey(namespace, key, layerPath(record.layer)));
    return {
      record,
      modRevision,
      candidateRevision: at(configCandidateKey(namespace, key))?.mod_revision ?? '0',
      reports: reportsOf(record.id, reports.entries.values()),
      layerRevision: layer?.mod_revision ?? '0',
    };
  }

  /** The document is judged as the view has it. */
  private sightOf({ record, reports, layerRevision }: FoundRelease): ReleaseSight {
    const { namespace } = this.ground;
    const { key, live } = this.config;
    const candidate = live.entries.get(configCandidateKey(namespace, key));
    const isOwn = candidate && digestOf(candidate.value) === record.sha256;
    const document = isOwn ? 'own' : candidate ? 'other' : 'missing';
    return { record, reports, layerRevision, document };
  }

  private log(event: ReleaseEvent): void {
    const sentence = `The release of "${this.config.key}": ${event.type}, ${event.what}.`;
    if (event.type === 'roll-back') this.logger.warn(sentence);
    else this.logger.log(sentence);
  }
}
