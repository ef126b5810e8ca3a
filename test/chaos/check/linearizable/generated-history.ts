import { SeededRandom } from '../../../support/seeded-random.js';
import type { RegisterCall, RegisterNote } from '../register-notes.js';

/** How a history is made up. */
export interface Recipe {
  readonly seed: number;
  readonly operations: number;
  readonly clients: number;
  /** Share of the operations whose outcome nobody learns. */
  readonly ambiguous: number;
  readonly kind: 'register' | 'counter';
}

interface Planned {
  readonly id: string;
  readonly process: string;
  readonly invokedAt: number;
  /** Infinite if it never happens. */
  readonly effectAt: number;
  readonly returnedAt: number;
  call: RegisterCall;
  result: string | null;
}

/**
 * Notes of clients that work on one register or counter at the same time, as a linearizable one would have answered
 * them: each operation takes effect in one moment. The same recipe gives the same notes.
 */
export function generatedHistory(recipe: Recipe): RegisterNote[] {
  const random = new SeededRandom(recipe.seed);
  const plan = Array.from({ length: recipe.clients }, (_, client) =>
    planOf(client, recipe, random),
  );
  const operations = plan.flat();
  const moments = operations.flatMap((one) => [
    { t: one.invokedAt, run: () => (one.call = choose(one, recipe, random, state)) },
    { t: one.effectAt, run: () => (state = takeEffect(one, state)) },
  ]);
  let state: string | null = null;
  moments.sort((a, b) => a.t - b.t);
  for (const { t, run } of moments) if (Number.isFinite(t)) run();
  return operations.flatMap(toNotes).sort((a, b) => a.t - b.t);
}

function planOf(client: number, recipe: Recipe, random: SeededRandom): Planned[] {
  const planned: Planned[] = [];
  let now = random.next() * 10;
  for (let at = 0; at < recipe.operations / recipe.clients; at += 1) {
    const isAmbiguous = random.chance(recipe.ambiguous);
    const invokedAt = now + random.next();
    // Some happen long after everybody has given up on them, and some never.
    const late = isAmbiguous ? (random.chance(0.5) ? Infinity : random.next() * 60) : 0;
    const effectAt = invokedAt + random.next() * 5 + late;
    const returnedAt = isAmbiguous ? Infinity : effectAt + random.next() * 5;
    const id = `${client}-${at}`;
    const rest = { call: { call: 'read' } as const, result: null };
    planned.push({ id, process: `${client}.0`, invokedAt, effectAt, returnedAt, ...rest });
    now = isAmbiguous ? invokedAt + 10 : returnedAt;
  }
  return planned;
}

function choose(
  { id }: Planned,
  { kind }: Recipe,
  random: SeededRandom,
  state: string | null,
): RegisterCall {
  if (random.chance(0.4)) return { call: 'read' };
  if (kind === 'counter') return { call: 'add', by: 1 };
  if (random.chance(0.5)) return { call: 'write', value: id };
  const expected = random.chance(0.7) ? state : null;
  return { call: 'cas', expected, value: id };
}

function takeEffect(one: Planned, state: string | null): string | null {
  const { call } = one;
  if (call.call === 'read') {
    one.result = state;
    return state;
  }
  if (call.call === 'add') return (one.result = String(Number(state ?? 0) + call.by));
  if (call.call === 'write') return call.value;
  one.result = String(state === call.expected);
  return state === call.expected ? call.value : state;
}

function toNotes({ id, process, call, result, invokedAt, returnedAt }: Planned): RegisterNote[] {
  const common = { process, work: 'registers', operation: id, register: 'r' };
  const invoked: RegisterNote = { ...common, t: invokedAt, type: 'invoked', ...call };
  // Half of those who do not know say so, the others were killed.
  if (!Number.isFinite(returnedAt)) return [invoked];
  return [invoked, { ...common, t: returnedAt, type: 'returned', outcome: 'ok', result }];
}
