import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { EtcdStatus } from '../etcd-status.js';
import type { CallFault } from './fault.js';
import { connectionLost } from './fault.js';
import type { Valve } from './valve.js';

type Raw = ServerDuplexStream<unknown, unknown>;
type Listener = (...args: never[]) => void;

/** What a {@link GatedStream} stands behind. */
export interface Gate {
  readonly inbound: Valve;
  readonly outbound: Valve;
  /** The fault that befalls such a request, if there is one. */
  faultFor(request: unknown): CallFault | null;
  over(): void;
}

/** A stream of a client as a service sees it: what the gate lets through, both ways. */
export class GatedStream {
  /** The next answer is lost. */
  private losing = false;
  private over = false;

  constructor(
    private readonly raw: Raw,
    private readonly gate: Gate,
  ) {
    raw.on('close', () => this.ended());
    raw.on('cancelled', () => this.ended());
  }

  on(event: string, listener: Listener): this {
    const tell = listener as (...args: unknown[]) => void;
    this.raw.on(event, (...args: unknown[]) => {
      this.gate.inbound.pass(() => {
        if (event === 'data') this.request(args[0], tell);
        else tell(...args);
      });
    });
    return this;
  }

  write(response: unknown): boolean {
    let writable = true;
    this.gate.outbound.pass(() => {
      if (this.over) return;
      if (this.losing) this.fail(connectionLost());
      else writable = this.raw.write(response);
    });
    return writable;
  }

  end(): void {
    this.gate.outbound.pass(() => this.raw.end());
  }

  emit(_event: 'error', status: Pick<EtcdStatus, 'code' | 'details'>): boolean {
    this.gate.outbound.pass(() => this.fail(status));
    return true;
  }

  /** Ends it with an error, whatever the gate lets through. */
  fail({ code, details }: Pick<EtcdStatus, 'code' | 'details'>): void {
    if (this.over) return;
    this.ended();
    this.raw.emit('error', { code, details });
  }

  private request(request: unknown, tell: (request: unknown) => void): void {
    if (this.over) return;
    const fault = this.gate.faultFor(request);
    if (fault && !fault.applied) return this.fail(fault.status);
    if (fault) this.losing = true;
    tell(request);
  }

  private ended(): void {
    if (this.over) return;
    this.over = true;
    this.gate.over();
  }
}
