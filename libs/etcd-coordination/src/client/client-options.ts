/** TLS material, each as PEM. */
export interface TlsCredentials {
  /** The authority that signed the servers' certificates; the system's authorities if left out. */
  readonly rootCertificate?: Buffer;
  /** This client's private key, for mutual TLS; needs {@link certChain}. */
  readonly privateKey?: Buffer;
  /** This client's certificate chain, for mutual TLS; needs {@link privateKey}. */
  readonly certChain?: Buffer;
}

/** An etcd user. */
export interface UserCredentials {
  readonly username: string;
  readonly password: string;
}

/** How long each kind of call may take in all, retries included, in milliseconds. */
export interface CallTimeouts {
  /** Until the first answer of an endpoint at start-up. Default 5000. */
  readonly connect: number;
  /** One keepalive of the lease; after it another member is asked. Default 1000. */
  readonly heartbeat: number;
  /** Reads. Default 3000. */
  readonly read: number;
  /** Writes. Default 3000. */
  readonly write: number;
  /** Taking the lease, and putting what stands for this process. Default 5000. */
  readonly registration: number;
}

/** Exponential back-off with full jitter, for calls that are safe to repeat. */
export interface RetryOptions {
  /** Attempts in all, the first one included; 1 turns retries off. Default 3. */
  readonly maxAttempts: number;
  /** Upper bound of the first pause, in milliseconds. Default 50. */
  readonly initialDelayMs: number;
  /** Upper bound of any pause, in milliseconds. Default 1000. */
  readonly maxDelayMs: number;
}

/** What a connection needs to know, complete and validated. */
export interface ClientOptions {
  /** The connection's name, for errors and logs. */
  readonly connection: string;
  /** `host:port`, `http://host:port` or `https://host:port`; all with TLS or none. */
  readonly endpoints: readonly string[];
  readonly credentials?: TlsCredentials;
  readonly auth?: UserCredentials;
  readonly timeouts: CallTimeouts;
  readonly retry: RetryOptions;
  /** Milliseconds between looks at the cluster's member list; 0 turns them off. Default 30000. */
  readonly endpointSyncInterval: number;
}

export const DEFAULT_TIMEOUTS: CallTimeouts = {
  connect: 5000,
  heartbeat: 1000,
  read: 3000,
  write: 3000,
  registration: 5000,
};

export const DEFAULT_RETRY: RetryOptions = {
  maxAttempts: 3,
  initialDelayMs: 50,
  maxDelayMs: 1000,
};

export const DEFAULT_ENDPOINT_SYNC_INTERVAL = 30_000;
