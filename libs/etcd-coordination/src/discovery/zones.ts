import type { ServiceInstance } from '../registry/service-instance.js';
import { Candidates } from './choose/candidates.js';
import type { Candidate } from './choose/candidate.js';

/** Those of one zone. */
interface Zone {
  /** How many instances the list shows there, whatever their state. */
  known: number;
  readonly candidates: Candidates;
}

/** Who can be chosen in each zone, and how much of the traffic is to stay there. */
export class Zones {
  private readonly zones = new Map<string, Zone>();

  constructor(
    private readonly minHealthy: number,
    private readonly subsetSize: number | null,
  ) {}

  /** An instance of the list has come, changed or gone. */
  count(before: ServiceInstance | null, after: ServiceInstance | null): void {
    if (before?.zone === after?.zone && before && after) return;
    if (after && after.zone !== null) this.zone(after.zone).known += 1;
    if (!before || before.zone === null) return;
    const zone = this.zone(before.zone);
    zone.known -= 1;
  }

  /** The candidates of a zone, to be changed. */
  of(zone: string): Candidates {
    return this.zone(zone).candidates;
  }

  /** Removes zones of which nothing is known any more. */
  tidy(): void {
    for (const [name, { known }] of this.zones) if (known === 0) this.zones.delete(name);
  }

  stepped(): void {
    for (const { candidates } of this.zones.values()) candidates.stepped();
  }

  /**
   * Where a call from `zone` is to go: to the zone itself while enough of its instances can take
   * calls; and otherwise so much of the traffic as those can bear. Null is anywhere.
   *
   * @param ableAnywhere how many can take calls, whatever their zone
   * @param share from 0 up to, and without, 1, spread evenly over the calls
   */
  choose(zone: string | null, ableAnywhere: number, share: () => number): Candidates | null {
    const own = zone === null ? undefined : this.zones.get(zone);
    const able: readonly Candidate[] | undefined = own?.candidates.everyone;
    if (!own || !able?.length) return null;
    const healthy = able.length / own.known;
    if (healthy >= this.minHealthy) return own.candidates;
    const bearable = healthy / this.minHealthy;
    // Of what may go anywhere this part comes back.
    const back = able.length / ableAnywhere;
    const stay = back < 1 ? (bearable - back) / (1 - back) : 0;
    return share() < stay ? own.candidates : null;
  }

  private zone(name: string): Zone {
    let zone = this.zones.get(name);
    if (!zone) {
      zone = { known: 0, candidates: new Candidates(this.subsetSize) };
      this.zones.set(name, zone);
    }
    return zone;
  }
}
