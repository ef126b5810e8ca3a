/** The set of operations that are in order now, and every such set with its state that was come to before. */
export class SeenStates<S> {
  private readonly bits: Uint32Array;
  private readonly before = new Map<number, { readonly bits: Uint32Array; readonly state: S }[]>();

  constructor(size: number) {
    this.bits = new Uint32Array(Math.ceil(size / 32));
  }

  has(index: number): boolean {
    return (this.bits[index >>> 5]! & (1 << (index & 31))) !== 0;
  }

  flip(index: number): void {
    this.bits[index >>> 5]! ^= 1 << (index & 31);
  }

  /** Whether the present set, with this state, is here for the first time. */
  add(state: S): boolean {
    const hash = this.hash();
    const others = this.before.get(hash);
    if (others?.some((other) => other.state === state && this.isSame(other.bits))) return false;
    const one = { bits: this.bits.slice(), state };
    if (others) others.push(one);
    else this.before.set(hash, [one]);
    return true;
  }

  private isSame(other: Uint32Array): boolean {
    return this.bits.every((word, index) => word === other[index]);
  }

  /** FNV-1a, word by word. */
  private hash(): number {
    let hash = 0x811c9dc5;
    for (const word of this.bits) hash = Math.imul(hash ^ word, 0x01000193);
    return hash;
  }
}
