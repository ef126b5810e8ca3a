import { status } from '@grpc/grpc-js';
import { EtcdStatus } from '../etcd-status.js';
import type { CallKind } from './call-kind.js';

/** What is to happen to a request. */
export interface CallFault {
  /** Which requests it may befall; any but probes if left out. */
  readonly kind?: CallKind;
  /** Whether the request is applied first. */
  readonly applied: boolean;
  /** What its sender is told. */
  readonly status: EtcdStatus;
}

/** What a client learns whose connection broke under a call. */
export const connectionLost = (): EtcdStatus =>
  new EtcdStatus(status.UNAVAILABLE, 'Connection dropped');

/** What a client learns that reaches nobody. */
export const nobodyThere = (): EtcdStatus =>
  new EtcdStatus(status.UNAVAILABLE, 'No connection established: the embedded etcd is away');

/** The faults that are to come, each for one request. */
export class CallFaults {
  private waiting: CallFault[] = [];

  add(fault: CallFault): void {
    this.waiting.push(fault);
  }

  /** The first fault that is meant for such a request; it is over then. */
  take(kind: CallKind): CallFault | null {
    const index = this.waiting.findIndex((fault) =>
      fault.kind === undefined ? kind !== 'probe' : fault.kind === kind,
    );
    return index < 0 ? null : this.waiting.splice(index, 1)[0]!;
  }

  /** Those that have befallen nobody yet. */
  get pending(): number {
    return this.waiting.length;
  }

  clear(): void {
    this.waiting = [];
  }
}
