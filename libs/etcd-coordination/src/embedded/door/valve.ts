/** What passes one way between a client and the server: at once while it is open, in order once it is opened again. */
export class Valve {
  private readonly held: (() => void)[] = [];
  private open = true;
  private releasing = false;

  pass(deliver: () => void): void {
    if (this.open && !this.releasing) deliver();
    else this.held.push(deliver);
  }

  shut(): void {
    this.open = false;
  }

  /** Lets through what has gathered, and whatever comes. */
  release(): void {
    this.open = true;
    if (this.releasing) return;
    this.releasing = true;
    // One of them may shut it again, and what one brings about comes after those that were there.
    while (this.open && this.held.length > 0) this.held.shift()!();
    this.releasing = false;
  }
}
