import type { ConfigHistoryEntry } from '../../config/config-publisher.js';
import type { ConfigStore } from '../../config/config.store.js';
import type { FlipLog } from './flip-log.js';
import { LOAD_FOLDER, LOAD_NAME, SWITCH_FOLDER } from './switch-rule.js';
import type { SwitchFlip } from './switch-status.js';

/** What one version of a document says, as far as it concerns a switch. */
type Said = Pick<SwitchFlip, 'state' | 'until'>;

const SILENT: Said = { state: 'auto', until: null };

/** The flips of a switch as etcd has them: what operators wrote, and what came of the rule. */
export class SwitchHistory {
  constructor(private readonly store: Pick<ConfigStore, 'history'>) {}

  /** The newest first. */
  async of(
    { name, priority, flips }: { name: string; priority: number; flips: FlipLog },
    limit: number,
  ): Promise<readonly SwitchFlip[]> {
    const [byHand, ofClasses, automatic] = await Promise.all([
      this.store.history(`${SWITCH_FOLDER}/${name}`, { layer: 'shared' }),
      this.store.history(`${LOAD_FOLDER}/${LOAD_NAME}`, { layer: 'shared' }),
      flips.list(),
    ]);
    const all = [
      ...flipsOf('manual', byHand, manualIn),
      ...flipsOf('class', ofClasses, (document) => classIn(document, priority)),
      ...automatic,
    ];
    return all.sort(newestFirst).slice(0, limit);
  }
}

/** The versions that have said something else than those before them. */
function flipsOf(
  source: 'manual' | 'class',
  newestFirst: readonly ConfigHistoryEntry[],
  read: (document: unknown) => Said,
): SwitchFlip[] {
  let before = SILENT;
  return [...newestFirst].reverse().flatMap((entry) => {
    const said = read(parse(entry.document));
    const isSame = said.state === before.state && said.until?.getTime() === before.until?.getTime();
    before = said;
    if (isSame) return [];
    const { author: by, reason: why, at, revision } = entry;
    return [{ ...said, source, scope: 'fleet' as const, by, why, at, revision }];
  });
}

function manualIn(document: unknown): Said {
  const { state, until } = fieldsOf(fieldsOf(document)['manual']);
  if (state !== 'on' && state !== 'off') return SILENT;
  const end = typeof until === 'string' ? new Date(until) : null;
  return { state, until: end && Number.isFinite(end.getTime()) ? end : null };
}

function classIn(document: unknown, priority: number): Said {
  const { cutFrom } = fieldsOf(document);
  const isCut = typeof cutFrom === 'number' && priority >= cutFrom;
  return isCut ? { state: 'off', until: null } : SILENT;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function parse(document: string | null): unknown {
  try {
    return document === null ? null : JSON.parse(document);
  } catch {
    return null;
  }
}

/** What was deleted past this library has no revision, and is told last. */
function newestFirst(a: SwitchFlip, b: SwitchFlip): number {
  const [x, y] = [a.revision ?? 0n, b.revision ?? 0n];
  return x === y ? 0 : x < y ? 1 : -1;
}
