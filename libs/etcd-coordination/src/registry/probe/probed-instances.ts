import type { IKeyValue } from 'etcd3';
import { instanceKey, parseKey, parseRegistryRest, verdictKey } from '../../client/keys.js';
import { type Probed, readProbed } from './probed-instance.js';
import { PROBE_SOURCE } from '../service-instance.js';

/** What there is to probe in a namespace, by the instance's key. Kept in step with what etcd holds. */
export class ProbedInstances {
  /** Those that ask to be probed, and those of whom a verdict is left. */
  readonly all = new Map<string, Probed>();

  constructor(
    private readonly namespace: string,
    private readonly held: ReadonlyMap<string, IKeyValue>,
  ) {}

  /** The keys of an instance that a key is about, or null if a prober has nothing to do with it. */
  keysOf(key: string): { readonly instance: string; readonly verdict: string } | null {
    const parsed = parseKey(this.namespace, key);
    const about = parsed?.feature === 'registry' ? parseRegistryRest(parsed.rest) : null;
    if (!parsed || !about || (about.kind === 'verdict' && about.source !== PROBE_SOURCE)) {
      return null;
    }
    const { name } = parsed;
    return {
      instance: instanceKey(this.namespace, name, about.instanceId),
      verdict: verdictKey(this.namespace, name, about.instanceId, PROBE_SOURCE),
    };
  }

  /** Takes over what etcd holds of a key. Gives the key of the instance that it is about, if any. */
  refresh(key: string): string | null {
    const keys = this.keysOf(key);
    if (!keys) return null;
    const [instance, verdict] = [this.held.get(keys.instance), this.held.get(keys.verdict)];
    const before = this.all.get(keys.instance);
    if (before && before.instance === instance && before.verdict === verdict) return null;
    const { name, rest } = parseKey(this.namespace, keys.instance)!;
    const probed = readProbed(name, parseRegistryRest(rest)!.instanceId, instance, verdict);
    if (probed.record || verdict) this.all.set(keys.instance, probed);
    else if (!this.all.delete(keys.instance)) return null;
    return keys.instance;
  }
}
