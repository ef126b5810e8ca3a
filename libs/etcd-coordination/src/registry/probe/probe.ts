import type { ProbeSpec, ServiceProtocol } from '../service-instance.js';
import { grpcProbe } from './grpc-probe.js';
import { httpProbe } from './http-probe.js';
import { tcpProbe } from './tcp-probe.js';

/** Where and how to probe. */
export interface ProbeAim {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  readonly spec: ProbeSpec;
  /**
   * Whether it speaks TLS. Certificates are not verified: a probe asks whether something serves,
   * sends no secret, and may know it by an IP address only; callers verify whom they talk to.
   */
  readonly secure: boolean;
}

/**
 * Asks once. Resolves with null if it is well, or else with the reason, for people. Resolves as
 * soon as `signal` aborts, with nothing left open; never rejects.
 */
export type Probe = (aim: ProbeAim, signal: AbortSignal) => Promise<string | null>;

/** One probe for each kind. */
export const PROBES: Readonly<Record<ProbeSpec['kind'], Probe>> = {
  http: httpProbe,
  tcp: tcpProbe,
  grpc: grpcProbe,
};

/** Where an instance asks to be probed. Only its own kind of protocol tells of TLS: others' ports are plain. */
export function probeAim(
  at: { readonly host: string; readonly port: number; readonly protocol: ServiceProtocol },
  spec: ProbeSpec,
): ProbeAim {
  const secure = spec.kind !== 'tcp' && at.protocol === `${spec.kind}s`;
  return { host: at.host, port: spec.port ?? at.port, spec, secure };
}

/** The aim for people. */
export function describeAim({ host, port, spec }: ProbeAim): string {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return spec.kind === 'http' ? `${place}${spec.target}` : place;
}
