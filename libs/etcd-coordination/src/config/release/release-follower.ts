import { configCandidateKey, configReleaseKey } from '../../client/keys.js';
import type { IKeyValue } from 'etcd3';
import type { ConfigIdentity } from '../config-identity.js';
import type { FollowedConfig } from './followed-config.js';
import type { ReleaseCandidacy } from './release-leadership.js';
import { concerns, isUnderWay, readReleaseRecord, type ReleaseRecord } from './release-record.js';
import type { ReleaseReporter, ReportedRelease } from './release-reporter.js';

/** What a follower starts when a release is under way. */
export interface FollowerParts {
  readonly namespace: string;
  readonly identity: ConfigIdentity;
  report(release: ReportedRelease): ReleaseReporter;
  stand(): ReleaseCandidacy;
}

/**
 * This process's part in the releases of one configuration that it follows: while one is under
 * way that concerns it, it reports, and stands for controller.
 */
export class ReleaseFollower {
  private readonly unsubscribe: () => void;
  private reporter: ReleaseReporter | null = null;
  private candidacy: ReleaseCandidacy | null = null;
  /** Candidacies that are being given up: the next one begins after them. */
  private giving: Promise<void> = Promise.resolve();
  private seen: { readonly at: string; readonly record: ReleaseRecord | null } | null = null;
  private leaving: Promise<void> | undefined;

  constructor(
    private readonly config: FollowedConfig,
    private readonly parts: FollowerParts,
  ) {
    this.unsubscribe = config.live.subscribe(() => this.look());
    this.look();
  }

  /** Takes part no more: gives the control on, and says of this instance that it leaves. Never rejects. */
  leave(): Promise<void> {
    return (this.leaving ??= this.leaveNow());
  }

  private async leaveNow(): Promise<void> {
    this.unsubscribe();
    const { reporter } = this;
    this.giveUp();
    await Promise.all([this.giving, reporter?.leave()]);
  }

  private look(): void {
    const { live, key } = this.config;
    const { namespace, identity } = this.parts;
    if (!live.synced || live.error || this.leaving) return;
    const record = this.read(live.entries.get(configReleaseKey(namespace, key)));
    const isMine = isUnderWay(record) && concerns(record, identity);
    if (!isMine) this.giveUp();
    else if (!this.candidacy) this.stand();
    const candidate = live.entries.get(configCandidateKey(namespace, key));
    this.report(
      isMine && candidate ? { id: record.id, candidateRevision: candidate.mod_revision } : null,
    );
  }

  private report(release: ReportedRelease | null): void {
    const now = this.reporter?.release;
    if (now?.id === release?.id && now?.candidateRevision === release?.candidateRevision) return;
    void this.reporter?.stop();
    this.reporter = release && this.parts.report(release);
  }

  private stand(): void {
    let isGivenUp = false;
    const standing = this.giving.then(() => (isGivenUp ? null : this.parts.stand()));
    this.candidacy = {
      stop: async () => {
        isGivenUp = true;
        await (await standing)?.stop();
      },
    };
  }

  private giveUp(): void {
    const { candidacy } = this;
    if (!candidacy) return;
    this.candidacy = null;
    this.giving = candidacy.stop();
  }

  /** Parsed once for each time that it changes. */
  private read(found: IKeyValue | undefined): ReleaseRecord | null {
    const at = found?.mod_revision ?? '0';
    if (this.seen?.at !== at) this.seen = { at, record: found ? readReleaseRecord(found) : null };
    return this.seen.record;
  }
}
