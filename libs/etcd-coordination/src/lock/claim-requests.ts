import type { IKeyValue, IRangeRequest, IRequestOp, ITxnRequest } from 'etcd3';
import { lockGateKey } from '../client/keys.js';
import type { TxnAnswer } from '../client/txn-merger.js';
import { prefixRange } from '../watch/key-range.js';
import type { Claim } from './claim.js';
import { encodeLockRecord } from './lock-record.js';
import type { Asker, Compare, QueueKind } from './queue-ground.js';

/**
 * The requests by which the keys of one queue come and go.
 *
 * A request to enter that was not answered might be applied at any later time, behind the back of the
 * one who has given it up. So each compares the revision of a *gate*, a key of this process that is
 * absent as long as all goes well; putting it shuts out whatever was sent before.
 */
export class ClaimRequests {
  private gate = { leaseId: '', revision: '0', key: Buffer.alloc(0) };
  private readonly range: { readonly key: Buffer; readonly range_end: Buffer };

  constructor(
    private readonly asker: Asker,
    private readonly kind: QueueKind,
  ) {
    const { key, rangeEnd } = prefixRange(kind.prefix);
    this.range = { key, range_end: rangeEnd! };
  }

  /**
   * Puts the claim's key, and deletes that of another one in the same transaction. If asked for, the
   * last response tells who is first.
   */
  enter(claim: Claim, thenFirst: boolean, leaving?: Claim): Promise<TxnAnswer> {
    const compare = this.comparisons(claim, isAbsent(claim));
    const success: IRequestOp[] = [this.put(claim)];
    if (thenFirst) success.push({ request_range: this.first(claim) });
    const touches = [this.kind.prefix];
    if (leaving) {
      compare.push(isStanding(leaving));
      success.unshift({ request_delete_range: { key: Buffer.from(leaving.key) } });
      touches.push(leaving.key);
    }
    return this.asker.merger.run({ compare, success, failure: [] }, touches);
  }

  /**
   * Finds out why a request to enter was refused: takes over how the gate stands, which others may have
   * shut, and gives what stands under the claim's own key, put there by nobody of this process.
   */
  async lookAtRefusal(claim: Claim): Promise<IKeyValue | null> {
    const gate = this.gateOf(claim);
    const { responses } = await this.asker.client.txn({
      compare: [],
      success: [
        { request_range: { key: Buffer.from(claim.key) } },
        { request_range: { key: gate.key } },
      ],
      failure: [],
    });
    const [own, shut] = responses.map((response) => response.response_range.kvs[0]);
    this.gate = { ...gate, revision: shut?.mod_revision ?? '0' };
    return own ?? null;
  }

  /** Puts the claim's key if there is none in the queue. Otherwise, if asked for, its one response tells who is first. */
  enterIfFree(claim: Claim, elseFirst: boolean): Promise<TxnAnswer> {
    const { range } = this;
    const empty = {
      ...({ target: 'Create', result: 'Equal', create_revision: '0' } as const),
      ...range,
    };
    const request: ITxnRequest = {
      compare: this.comparisons(claim, empty),
      success: [this.put(claim)],
      failure: elseFirst ? [{ request_range: this.first() }] : [],
    };
    return this.asker.merger.run(request, [this.kind.prefix]);
  }

  /** Deletes the claim's key; nothing that was put there since. False if it was gone before anybody asked. */
  async leave(claim: Claim): Promise<boolean> {
    const { succeeded, repeated = false } = await this.asker.merger.run(
      {
        compare: [isStanding(claim)],
        success: [{ request_delete_range: { key: Buffer.from(claim.key) } }],
        failure: [],
      },
      [claim.key],
    );
    return succeeded || repeated;
  }

  /**
   * Tells what became of a request that etcd answered with an error: the claim's key, if it stands, and
   * who else does. Needs no gate, for nothing is under way, and no space.
   */
  async look(claim: Claim): Promise<{ own: IKeyValue | null; kvs: IKeyValue[] }> {
    const { responses } = await this.asker.client.txn({
      compare: [],
      success: [
        { request_range: { key: Buffer.from(claim.key) } },
        { request_range: this.first(claim) },
      ],
      failure: [],
    });
    const [found, kvs] = responses.map(({ response_range }) => response_range.kvs);
    const own = found?.[0];
    return { own: own?.lease === claim.lease.id ? own : null, kvs: kvs! };
  }

  /**
   * Shuts the gate behind all that was sent, and gives the claim's key, if it stands, and who else
   * does. A gate that was shut twice, as an answer was lost, is found shut by the next request.
   */
  async settle(claim: Claim): Promise<{ own: IKeyValue | null; kvs: IKeyValue[] }> {
    const { lease } = claim;
    const gate = { key: this.gateOf(claim).key, value: Buffer.alloc(0), lease: lease.id };
    const { revision, responses } = await this.asker.merger.run(
      {
        compare: [],
        success: [
          { request_put: gate },
          { request_range: { key: Buffer.from(claim.key) } },
          { request_range: this.first(claim) },
        ],
        failure: [],
      },
      [gate.key.toString(), claim.key, this.kind.prefix],
    );
    const known = this.gateOf(claim);
    // Answers may come out of order; the last one to be put counts.
    if (BigInt(revision) > BigInt(known.revision)) this.gate = { ...known, revision };
    const [own] = responses[1]!.response_range.kvs;
    const kvs = responses[2]!.response_range.kvs;
    return { own: own?.lease === lease.id ? own : null, kvs };
  }

  private comparisons(claim: Claim, first: Compare): Compare[] {
    const { condition } = this.kind;
    const { key, revision: mod_revision } = this.gateOf(claim);
    const gate: Compare = { target: 'Mod', result: 'Equal', key, mod_revision };
    return condition ? [first, gate, condition.compare] : [first, gate];
  }

  /** Of the claim's lease: it is put on that. */
  private gateOf({ lease }: Claim) {
    if (this.gate.leaseId !== lease.id) {
      const { namespace } = this.asker;
      const key = Buffer.from(lockGateKey(namespace, this.kind.name, BigInt(lease.id)));
      this.gate = { leaseId: lease.id, revision: '0', key };
    }
    return this.gate;
  }

  /** Who came first; and where others may hold it too, everybody. */
  private first(claim?: Claim): IRangeRequest {
    if (claim && (claim.shared || this.kind.condition)) return this.range;
    return { ...this.range, limit: 1, sort_order: 'Ascend', sort_target: 'Create' };
  }

  private put({ key, keep, lease }: Claim): IRequestOp {
    const value = encodeLockRecord({ id: this.asker.instanceId, keep });
    return { request_put: { key: Buffer.from(key), value, lease: lease.id } };
  }
}

function isAbsent({ key }: Claim): Compare {
  return { target: 'Create', result: 'Equal', key: Buffer.from(key), create_revision: '0' };
}

function isStanding({ key, revision }: Claim): Compare {
  const create_revision = String(revision);
  return { target: 'Create', result: 'Equal', key: Buffer.from(key), create_revision };
}
