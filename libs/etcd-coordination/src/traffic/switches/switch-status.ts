/**
 * Who has the last word on a switch, from the strongest:
 *
 * - `manual`: an operator has set it
 * - `class`: all switches of its priority are cut
 * - `automatic`: its rule was broken
 * - `default`: nobody has said anything, so it is on
 */
export type SwitchSource = 'manual' | 'class' | 'automatic' | 'default';

/** How a switch stands in this process. */
export interface SwitchStatus {
  readonly name: string;
  readonly priority: number;
  /** `on`: its calls run. `off`: what stands in for them does. */
  readonly state: 'on' | 'off';
  /** The share of the calls that run, from 0 to 1: neither of them while a cut switch is being tried. */
  readonly share: number;
  readonly source: SwitchSource;
  /** Whether that goes for the fleet, or for this process alone. */
  readonly scope: 'fleet' | 'instance';
  /** The operator, or the instance that saw the rule broken; null if that is not known. */
  readonly by: string | null;
  readonly why: string | null;
  /** When that was said, by the clock of who said it; null if that is not known. */
  readonly since: Date | null;
  /** When an operator's word ends by itself, or null. */
  readonly until: Date | null;
}

/** One flip of a switch, as etcd has it. */
export interface SwitchFlip {
  /** `auto`: an operator, or the cut of a class, has let go of it. */
  readonly state: 'on' | 'off' | 'auto';
  readonly source: Exclude<SwitchSource, 'default'>;
  readonly scope: 'fleet' | 'instance';
  readonly by: string | null;
  readonly why: string | null;
  readonly at: Date | null;
  readonly until: Date | null;
  /** etcd's revision of the record, which says in what order the flips came. */
  readonly revision: bigint | null;
}

/** Why a switch is as it is, as the end of a sentence. */
export function shownCause({ source, scope, by, why, until }: SwitchStatus): string {
  const end = until ? `, until ${until.toISOString()}` : '';
  const said = why === null ? '' : `: ${why}`;
  const who = by === null ? '' : ` by ${by}`;
  const causes: Readonly<Record<SwitchSource, string>> = {
    manual: `set by hand${who}${end}${said}`,
    class: `its priority is cut${who}${said}`,
    automatic: `its rule was broken ${scope === 'fleet' ? 'in the fleet' : 'in this process'}${said}`,
    default: 'nothing stands against it',
  };
  return causes[source];
}
