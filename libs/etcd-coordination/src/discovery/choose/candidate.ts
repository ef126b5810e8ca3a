import type { ServiceInstance } from '../../registry/service-instance.js';
import { InstanceStats } from '../instance-stats.js';
import type { Candidates } from './candidates.js';
import { hashPair, hashText } from '../../client/hash.js';

/** One instance as it stands for choice in this process. */
export class Candidate {
  readonly id: string;
  /** By which keys find it, the same in every process. */
  readonly hash: number;
  /** How near it is to this process, where each talks with a subset. */
  readonly nearness: number;
  readonly stats = new InstanceStats();
  /** Its share of what it would get, while it starts slowly. */
  ramp = 1;
  /** The sets that it stands in. */
  places: readonly Candidates[] = [];
  /** How much of a turn it has saved, where turns are taken while it starts slowly. */
  credit = 0;

  constructor(
    /** As the list has it now. */
    public instance: ServiceInstance,
    processHash: number,
  ) {
    this.id = instance.id;
    this.hash = hashText(instance.id);
    this.nearness = hashPair(processHash, this.hash);
  }

  get weight(): number {
    return this.instance.weight;
  }
}
