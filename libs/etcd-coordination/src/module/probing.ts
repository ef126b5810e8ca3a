import type { ServiceProber } from '../registry/probe/prober.js';

/**
 * This process's part in the probing of the fleet, from when on it has one: as the options say, or else
 * from the first instance on that it registers and that asks to be probed. Whoever asks is then
 * always probed by somebody, and a process that only looks for services probes nobody.
 */
export class Probing {
  private prober: ServiceProber | null = null;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly makeProber: () => ServiceProber,
    /** What the options say; null if they do not. */
    private readonly wish: boolean | null,
  ) {}

  /** How many instances this process probes now; null if it takes no part. */
  get targets(): number | null {
    return this.prober?.targets ?? null;
  }

  /** The application starts. */
  begin(): void {
    if (this.wish === true) this.takePart();
  }

  /** An instance of this process asks to be probed. */
  wanted(): void {
    if (this.wish !== false) this.takePart();
  }

  /** Leaves the probing to the others. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.prober?.close() ?? Promise.resolve());
  }

  private takePart(): void {
    if (this.prober || this.closing) return;
    this.prober = this.makeProber();
    // Nobody waits: others probe until this process stands in their election.
    void this.prober.start();
  }
}
