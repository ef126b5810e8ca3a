import type { Model } from './model.js';
import { isAmbiguous, type Operation } from './operation.js';
import { SeenStates } from './seen-states.js';

/** What a search came to: there is an order, there is none, or it took too much work to say. */
export type Verdict = 'in-order' | 'no-order' | 'gave-up';

/** How many steps a search may take: some seconds. */
const STEPS = 200_000;

/** What may come next: operations, one after the other, and the state that they lead to. */
interface Choice<S> {
  readonly operations: readonly number[];
  readonly state: S;
}

/** A depth of the search: what was put in order last, and what else there is to try after it. */
interface Level<S> {
  readonly taken: readonly number[];
  readonly choices: Iterator<Choice<S>>;
}

/**
 * Looks for an order of the operations in which each answers as it did and none comes before one that had returned
 * when it was called: Wing and Gong's search, with Lowe's memory of what was tried (which operations, which state).
 *
 * An ambiguous operation need not be in it. It is tried only where what follows needs it; see {@link Model.bridges}.
 *
 * The number of orders is beyond all bounds; these are not looked at, and why none is lost by that:
 *
 * - What was come to before: the same operations in order, with the same state, go on in the same ways.
 * - All but one, if that one changes nothing ({@link Model.apply} gives the state back): it takes nothing from the
 *   others, so what can come first can as well come after it.
 * - All but one, if that one is harmless ({@link Model.isHarmless}): nobody is in need of what it leaves or takes away.
 * - Leaving a state that operations yet to come need ({@link Model.needs}): each value is written once, so it would
 *   not come back. An operation may leave it that is itself the last to need it.
 * - Ambiguous operations elsewhere than on a bridge: in any order they can be put off to the first place that needs
 *   them, or left out.
 * - What was called after an operation had returned that is not in order yet: that one must come first.
 */
export class OrderSearch<S extends string | null | bigint> {
  private readonly operations: readonly Operation[];
  private readonly certain: readonly number[];
  private readonly ambiguous: readonly number[];
  private readonly seen: SeenStates<S>;
  private readonly indexOf: ReadonlyMap<Operation, number>;
  /** How many that are not yet in order need a state. */
  private readonly needed = new Map<S, number>();
  /** The first of the certain ones that is not yet in order. */
  private first = 0;
  private placed = 0;
  private steps = 0;

  constructor(
    operations: readonly Operation[],
    private readonly model: Model<S>,
    private readonly limit = STEPS,
  ) {
    this.operations = [...operations].sort((a, b) => a.invokedAt - b.invokedAt);
    this.indexOf = new Map(this.operations.map((one, index) => [one, index]));
    const all = this.operations.map((_, index) => index);
    this.certain = all.filter((index) => !isAmbiguous(this.operations[index]!));
    this.ambiguous = all.filter((index) => isAmbiguous(this.operations[index]!));
    this.seen = new SeenStates(this.operations.length);
    for (const index of this.certain) this.need(this.operations[index]!, 1);
  }

  run(): Verdict {
    const levels = [this.level(this.model.initial, [])];
    while (this.placed < this.certain.length) {
      const level = levels.at(-1);
      if (!level) return 'no-order';
      if ((this.steps += 1) > this.limit) return 'gave-up';
      const next = level.choices.next();
      if (next.done) {
        levels.pop();
        this.take(level.taken, -1);
        continue;
      }
      const { operations, state } = next.value;
      this.take(operations, 1);
      if (this.seen.add(state)) levels.push(this.level(state, operations));
      else this.take(operations, -1);
    }
    return 'in-order';
  }

  private level(state: S, taken: readonly number[]): Level<S> {
    return { taken, choices: this.choices(state) };
  }

  /** All that can come next; one alone, if it takes nothing from the others. */
  private *choices(state: S): Generator<Choice<S>> {
    const { candidates, until } = this.candidates();
    const blocked: Operation[] = [];
    const free: Choice<S>[] = [];
    for (const index of candidates) {
      const operation = this.operations[index]!;
      const after = this.model.apply(state, operation);
      if (!after) {
        blocked.push(operation);
        continue;
      }
      const choice = { operations: [index], state: after.state };
      if (after.state === state) {
        yield choice;
        return;
      }
      if (!this.mayLeave(state, [operation])) continue;
      if (this.model.isHarmless(state, operation)) {
        yield choice;
        return;
      }
      free.push(choice);
    }
    yield* free;
    if (blocked.length === 0 || this.ambiguous.length === 0) return;
    const open = this.ambiguous
      .filter((index) => !this.seen.has(index) && this.operations[index]!.invokedAt <= until)
      .map((index) => this.operations[index]!);
    const ways = blocked.flatMap((to) =>
      this.model.bridges(state, to, open).map((bridge) => [...bridge, to]),
    );
    // The farther ones come by themselves.
    ways.sort((a, b) => a.length - b.length);
    for (const way of ways) yield* this.along(state, way);
  }

  private *along(from: S, way: readonly Operation[]): Generator<Choice<S>> {
    let state = from;
    for (const one of way) {
      const after = this.model.apply(state, one);
      if (!after || (after.state !== state && !this.mayLeave(state, way))) return;
      state = after.state;
    }
    yield { operations: way.map((one) => this.indexOf.get(one)!), state };
  }

  /** Whether none but these needs the state. */
  private mayLeave(state: S, leaving: readonly Operation[]): boolean {
    const own = leaving.filter((one) => !isAmbiguous(one) && this.model.needs(one) === state);
    return (this.needed.get(state) ?? 0) <= own.length;
  }

  /** The operations that were called before any that is not in order yet had returned; soonest returned first. */
  private candidates(): { candidates: number[]; until: number } {
    const candidates: number[] = [];
    let until = Infinity;
    for (let at = this.first; at < this.certain.length; at += 1) {
      const index = this.certain[at]!;
      if (this.seen.has(index)) continue;
      const { invokedAt, returnedAt } = this.operations[index]!;
      if (invokedAt > until) break;
      candidates.push(index);
      until = Math.min(until, returnedAt);
    }
    const returnOf = (index: number) => this.operations[index]!.returnedAt;
    candidates.sort((a, b) => returnOf(a) - returnOf(b));
    return { candidates, until };
  }

  private take(operations: readonly number[], way: 1 | -1): void {
    for (const index of operations) {
      this.seen.flip(index);
      const operation = this.operations[index]!;
      if (isAmbiguous(operation)) continue;
      this.placed += way;
      this.need(operation, -way);
    }
    if (way < 0) this.first = 0;
    while (this.first < this.certain.length && this.seen.has(this.certain[this.first]!)) {
      this.first += 1;
    }
  }

  private need(operation: Operation, by: number): void {
    const state = this.model.needs(operation);
    if (state !== undefined) this.needed.set(state, (this.needed.get(state) ?? 0) + by);
  }
}
