/** Lets so many pieces of work run at once; the others wait for their turn in order. */
export class Turnstile {
  private inside = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly capacity: number) {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.inside >= this.capacity) await new Promise<void>((go) => this.waiting.push(go));
    else this.inside += 1;
    try {
      return await work();
    } finally {
      // Whoever is next takes this place over.
      const next = this.waiting.shift();
      if (next) next();
      else this.inside -= 1;
    }
  }
}
