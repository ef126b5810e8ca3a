import { PrefixTable } from './prefix-table.js';
import { WatchSource, type WatchGround } from './watch-source.js';
import type { WatchName } from './watch-name.js';

/** The sources of one range: one that holds values serves those who need none, too. */
interface Slot {
  values?: WatchSource;
  revisions?: WatchSource;
}

/**
 * The standing watches of a connection. Who wants a range joins one that holds it, so that
 * any number of keys under a watched prefix costs no call and no watch.
 */
export class WatchSources {
  private readonly keys = new Map<string, Slot>();
  private readonly prefixes = new PrefixTable<Slot>();

  constructor(private readonly ground: WatchGround) {}

  /**
   * A source that holds `name`'s range, for one more user. A user whose source was refused
   * goes on `after` it: its own range may well be permitted.
   */
  take(name: WatchName, needsValues: boolean, after?: WatchSource): WatchSource {
    const found = this.find(name, needsValues);
    const source = found ?? this.begin(name, needsValues, after);
    source.uses += 1;
    return source;
  }

  /** One user less; without any, the source ends. */
  release(source: WatchSource): void {
    source.uses -= 1;
    if (source.uses > 0) return;
    this.forget(source);
    source.view.close();
  }

  private find(name: WatchName, needsValues: boolean): WatchSource | undefined {
    if (name.kind === 'key') {
      const own = usable(this.keys.get(name.whole), needsValues);
      if (own) return own;
    }
    for (const slot of this.prefixes.over(name.whole)) {
      const source = usable(slot, needsValues);
      if (source) return source;
    }
    return undefined;
  }

  private begin(name: WatchName, values: boolean, after: WatchSource | undefined): WatchSource {
    const held = after?.view.synced ? part(after, name) : undefined;
    const source = new WatchSource(this.ground, name, values, held && { after: held });
    const table = name.kind === 'key' ? this.keys : this.prefixes;
    const slot = table.get(name.whole) ?? {};
    slot[values ? 'values' : 'revisions'] = source;
    table.set(name.whole, slot);
    return source;
  }

  private forget(source: WatchSource): void {
    const { name, values } = source;
    const table = name.kind === 'key' ? this.keys : this.prefixes;
    const slot = table.get(name.whole);
    const which = values ? 'values' : 'revisions';
    // Another one may have taken the place of a refused one.
    if (slot?.[which] !== source) return;
    delete slot[which];
    if (!slot.values && !slot.revisions) table.delete(name.whole);
  }
}

function usable(slot: Slot | undefined, needsValues: boolean): WatchSource | undefined {
  if (!slot) return undefined;
  if (slot.values && !slot.values.view.error) return slot.values;
  if (needsValues || slot.revisions?.view.error) return undefined;
  return slot.revisions;
}

function part({ view }: WatchSource, name: WatchName) {
  const { revision, era, clusterId } = view;
  const entries = new Map([...view.entries].filter(([key]) => name.has(key)));
  return { entries, revision, era, clusterId };
}
