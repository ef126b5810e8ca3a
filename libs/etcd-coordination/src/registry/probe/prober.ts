import { Logger } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import type { EtcdClient } from '../../client/etcd-client.js';
import { ClientClosedError } from '../../client/etcd.errors.js';
import { featurePrefix } from '../../client/keys.js';
import { settledWithin } from '../../client/settled-within.js';
import { PrefixView } from '../../watch/prefix-view.js';
import { Turnstile } from '../../watch/turnstile.js';
import type { WatchHub } from '../../watch/watch-hub.js';
import { DAY_MS } from '../day.js';
import type { ProbeSpec } from '../service-instance.js';
import { HeldVerdicts } from './held-verdicts.js';
import { PROBES, type Probe } from './probe.js';
import { activeProbers, ProbeShare, TARGETS_PER_PROBER } from './probe-share.js';
import { type Finding, type Probed, ProbedInstance } from './probed-instance.js';
import { ProbedInstances } from './probed-instances.js';
import type { ProberCandidate, ProberElection } from './prober-election.js';
import type { ProbeTools } from './probe-target.js';
import { SelfDoubt } from './self-doubt.js';
import { VerdictWriter } from './verdict-writer.js';

/** How many probes one process has under way. */
const PROBES_AT_ONCE = 64;
/** Between two attempts to follow what etcd refuses to show, in milliseconds. */
const REFUSED_RETRY_MS = 10_000;
/** How long the verdicts that are under way, and the leaving, may take when the prober closes. */
const CLOSE_BUDGET_MS = 1000;
/** Of so many instances that went while they were down it is remembered, should they come back. */
const MOST_REMEMBERED = 1000;
/** For how long a doubt stands at the least, in milliseconds, and how many looks may be had meanwhile. */
const LEAST_DOUBT_MS = 60_000;
const LOOKS = 3;
const NOBODY = new ProbeShare([], '');

/** What a prober stands on. */
export interface ProberGround {
  readonly client: EtcdClient;
  readonly watch: WatchHub;
  readonly namespace: string;
  /** This process, as the election's candidates name it. */
  readonly instanceId: string;
  readonly election: ProberElection;
}

/** For tests. */
export interface ProberSettings {
  readonly perProber?: number;
  readonly probes?: Readonly<Record<ProbeSpec['kind'], Probe>>;
  readonly random?: () => number;
}

/**
 * Takes part in the probing of all instances of a namespace that ask for it. Everybody who takes
 * part stands in one election; the first of the candidates probe, each its share, and have a verdict
 * stand on who fails. When one of them dies the next takes over, from the verdicts that stand. One
 * that sees most of its instances fail at once doubts itself first, see {@link SelfDoubt}.
 *
 * An outage of etcd stops no probing: what was found meanwhile is written when it is back.
 */
export class ServiceProber {
  private readonly logger = new Logger('ServiceProber');
  private readonly turnstile = new Turnstile(PROBES_AT_ONCE);
  private readonly own = new Map<string, ProbedInstance>();
  private readonly remembered = new Map<string, Finding>();
  /** Keys that have changed since the last look. */
  private readonly changed = new Set<string>();
  private view: PrefixView | null = null;
  private instances: ProbedInstances | null = null;
  private following: Subscription | null = null;
  private candidates: readonly ProberCandidate[] = [];
  private share = NOBODY;
  private readonly timers = new Set<() => void>();
  private readonly doubt: SelfDoubt;
  private readonly held: HeldVerdicts;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly ground: ProberGround,
    private readonly settings: ProberSettings = {},
  ) {
    const { client, election, instanceId } = ground;
    const { clock } = client;
    this.doubt = new SelfDoubt({ clock, election, instanceId }, () => this.look());
    this.held = new HeldVerdicts(clock, {
      sights: () => this.own.values(),
      isSecondLook: () => this.candidates.some(({ doubts }) => doubts),
      doubt: () => this.stepAside(),
    });
  }

  /** How many instances this process probes now. */
  get targets(): number {
    return this.own.size;
  }

  /** Takes part from now on. Resolves when its candidacy stands, or was refused for now; never rejects. */
  async start(): Promise<void> {
    if (this.closing) return;
    this.followInstances();
    this.followCandidates();
    await this.doubt.stand();
  }

  /** Stops all probing, and leaves the election. The verdicts stay for the next prober. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    for (const cancel of this.timers) cancel();
    this.timers.clear();
    this.doubt.close();
    this.following?.unsubscribe();
    this.view?.close();
    const writes = [...this.own.values()].map((instance) => instance.close());
    this.own.clear();
    const left = this.ground.election.leave().catch((error: unknown) => {
      this.logger.warn(`The election of the probers could not be left: ${String(error)}`);
    });
    // What etcd does not answer now ends with the client, or with the session's lease.
    await settledWithin(this.ground.client.clock, Promise.all([...writes, left]), CLOSE_BUDGET_MS);
  }

  /** Most of what was well fails at once, and nobody else has said so yet. */
  private stepAside(): void {
    const waiting = Math.ceil(this.own.size / PROBES_AT_ONCE);
    let [spanMs, well, failing] = [LEAST_DOUBT_MS, 0, 0];
    for (const one of this.own.values()) {
      if (!one.isWell) continue;
      well += 1;
      if (one.failingSince === null) continue;
      failing += 1;
      spanMs = Math.max(spanMs, LOOKS * (one.lookMs(waiting) + one.windowMs));
    }
    this.logger.warn(
      `${failing} of the ${well} instances that this process probes, and that were well, fail at once: it may be cut off from them itself. None of them is marked down for that; the next prober looks, or, if there is none, this one once more.`,
    );
    // A timer cannot be set for ever.
    void this.doubt.stepAside(Math.min(spanMs, DAY_MS));
  }

  private followCandidates(): void {
    this.following = this.ground.election.candidates$.subscribe({
      next: (candidates) => {
        this.candidates = candidates;
        this.look();
        this.doubt.follow(candidates);
      },
      error: (error: unknown) => {
        this.candidates = [];
        this.look();
        this.refused('the candidates of the probers', error, () => this.followCandidates());
      },
    });
  }

  private followInstances(): void {
    const { client, watch, namespace } = this.ground;
    const view = new PrefixView(client, watch, featurePrefix(namespace, 'registry'));
    this.view = view;
    this.instances = null;
    view.follow(({ changes }) => {
      for (const { key } of changes) this.changed.add(key);
    });
    view.subscribe(() => {
      if (view.error) return this.refusedInstances(view.error);
      if (!view.synced) return;
      if (!this.instances) {
        this.instances = new ProbedInstances(namespace, view.entries);
        for (const key of [...view.entries.keys(), ...this.own.keys()]) this.changed.add(key);
      }
      this.look();
    });
  }

  private refusedInstances(error: Error): void {
    if (error instanceof ClientClosedError) return;
    this.refused('the registry', error, () => this.followInstances());
  }

  private refused(what: string, error: unknown, again: () => void): void {
    if (this.closing) return;
    this.logger.error(
      `This process cannot see ${what}, and asks again every ${REFUSED_RETRY_MS / 1000} s: ${String(error)}`,
    );
    const retry = () => {
      this.timers.delete(cancel);
      again();
    };
    const cancel = this.ground.client.clock.setTimer(retry, REFUSED_RETRY_MS, { unref: true });
    this.timers.add(cancel);
  }

  /** Takes over what has changed, be it the instances or who probes them. */
  private look(): void {
    if (this.closing || !this.instances) return;
    const touched = new Set<string>();
    for (const key of this.changed) {
      const instance = this.instances.refresh(key);
      if (instance !== null) touched.add(instance);
    }
    this.changed.clear();
    for (const key of this.reshare() ? this.everyKey() : touched) this.assign(key);
  }

  /** Whether others probe now than did before. */
  private reshare(): boolean {
    const { perProber = TARGETS_PER_PROBER } = this.settings;
    const probers = this.doubt.probers(this.candidates);
    const active = activeProbers(probers, this.instances!.all.size, perProber);
    const before = this.share.active;
    if (active.length === before.length && active.every((id, index) => id === before[index])) {
      return false;
    }
    this.share = new ProbeShare(active, this.ground.instanceId);
    return true;
  }

  private everyKey(): Iterable<string> {
    return new Set([...this.own.keys(), ...this.instances!.all.keys()]);
  }

  private assign(key: string): void {
    const probed = this.instances!.all.get(key);
    const own = this.own.get(key);
    if (!probed || !this.share.isMine(key)) return own && this.drop(key, own, probed);
    if (own) own.update(probed);
    else this.own.set(key, this.take(key, probed));
  }

  private take(key: string, probed: Probed): ProbedInstance {
    const known = this.remembered.get(key) ?? null;
    this.remembered.delete(key);
    const { client, instanceId } = this.ground;
    const writer = new VerdictWriter(client, instanceId, this.instances!.keysOf(key)!, probed);
    return new ProbedInstance(probed, known, writer, this.held, (kind) => this.tools(kind));
  }

  private drop(key: string, own: ProbedInstance, probed: Probed | undefined): void {
    this.own.delete(key);
    void own.close();
    // If it is only its key that went, it registers again, and is no better for that.
    if (probed || own.finding?.gate.state !== 'down') return;
    this.remembered.set(key, own.finding);
    const [oldest] = this.remembered.keys();
    if (this.remembered.size > MOST_REMEMBERED) this.remembered.delete(oldest!);
  }

  private tools(kind: ProbeSpec['kind']): ProbeTools {
    const { probes = PROBES, random = Math.random } = this.settings;
    return {
      clock: this.ground.client.clock,
      probe: probes[kind],
      random,
      inTurn: (work) => this.turnstile.pass(work),
    };
  }
}
