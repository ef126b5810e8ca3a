import type { Etcd3, IAlarmMember } from 'etcd3';
import type { EtcdCluster, EtcdMember } from '../../support/etcd-cluster.js';
import type { EtcdUser } from '../../support/member-change.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';

const SETTLED_MS = 30_000;
const FILLER = 'nemesis-filler';
/** Below the limit of a request. */
const PIECE_BYTES = 1_000_000;

/** What an operator asks of a cluster in the middle of elections: asked again until it is so. */
export class ClusterAdmin {
  constructor(
    private readonly cluster: EtcdCluster,
    private readonly root: EtcdUser | null,
  ) {}

  /** Does it through the leader; again through whoever leads then, until it succeeds. */
  async settle<T>(
    what: string,
    call: (etcd: Etcd3) => Promise<T>,
    member?: EtcdMember,
    timeoutMs = SETTLED_MS,
  ): Promise<T> {
    const once = async () => {
      const { server } = member ?? (await this.cluster.leader());
      using etcd = rawEtcd(server.endpoint, this.root ? { auth: this.root } : {});
      return { result: await call(etcd.client) };
    };
    return (await waitFor(once, { what, timeoutMs, intervalMs: 100 })).result;
  }

  /** The store's revision, read with a quorum. */
  revision(): Promise<bigint> {
    return this.settle('the revision', async ({ kv }) => {
      return BigInt((await kv.range({ key: Buffer.from([0]), limit: 1 })).header.revision);
    });
  }

  /**
   * Compacts up to now, but not beyond the limit.
   *
   * @param asking is told the revision right before it is asked for
   */
  async compact(
    limit: bigint | null,
    asking: (revision: bigint) => void = () => undefined,
  ): Promise<bigint> {
    const now = await this.revision();
    const revision = limit !== null && limit < now ? limit : now;
    asking(revision);
    await this.settle('the compaction', ({ kv }) =>
      kv.compact({ revision: revision.toString(), physical: true }).catch(unlessCompacted),
    );
    return revision;
  }

  async defragment(member: EtcdMember): Promise<void> {
    await this.settle(
      `the defragmentation of ${member.name}`,
      ({ maintenance }) => maintenance.defragment(),
      member,
    );
  }

  /** Puts big values, one after the other, until the cluster says that it has no space. */
  async fillQuota(): Promise<void> {
    await this.settle('the quota to be used up', async (etcd) => {
      for (;;) {
        try {
          await this.putPiece(etcd);
        } catch (error) {
          if (/space exceeded/.test(String(error))) return;
          throw error;
        }
      }
    });
    await waitFor(() => this.isAlarmed(), { what: 'the alarm', timeoutMs: SETTLED_MS });
  }

  /** As an operator does it: makes room, compacts, defragments each member, disarms. */
  async cureQuota(compact: () => Promise<bigint>): Promise<void> {
    const { header } = await this.settle('the filler to be deleted', ({ kv }) =>
      kv.deleteRange({ key: Buffer.from(FILLER) }),
    );
    const cure = async () => {
      // Only what is compacted makes room.
      if ((await compact()) < BigInt(header.revision)) return false;
      for (const member of this.cluster.members) await this.defragment(member);
      await this.disarm();
      return !(await this.isAlarmed());
    };
    await waitFor(cure, { what: 'the alarm to be over', timeoutMs: SETTLED_MS, intervalMs: 100 });
  }

  /** A value that makes every member's file grow; it takes the place of the one before. */
  async putPiece(etcd: Etcd3): Promise<void> {
    await etcd.kv.put({ key: Buffer.from(FILLER), value: Buffer.alloc(PIECE_BYTES, 'x') });
  }

  async isAlarmed(): Promise<boolean> {
    return (await this.settle('the alarms', alarms)).length > 0;
  }

  /** Each member's alarm is one of its own. */
  private disarm(): Promise<void> {
    return this.settle('the alarms to be disarmed', async (etcd) => {
      for (const { memberID } of await alarms(etcd)) {
        await etcd.maintenance.alarm({ action: 'Deactivate', memberID, alarm: 'Nospace' });
      }
    });
  }
}

async function alarms({ maintenance }: Etcd3): Promise<IAlarmMember[]> {
  return (await maintenance.alarm({ action: 'Get', memberID: '0', alarm: 'Nospace' })).alarms;
}

function unlessCompacted(error: unknown): void {
  if (!/has been compacted/.test(String(error))) throw error;
}
