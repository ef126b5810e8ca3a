// Every public name, spelled out: what is not here may change without notice.

export { EtcdCoordinationModule } from './module/etcd-coordination.module.js';
export type {
  CoordinationAsyncOptions,
  CoordinationOptions,
  CoordinationOptionsFactory,
  ServiceOptions,
  ShutdownOptions,
} from './module/coordination-options.js';
export {
  getCoordinationToken,
  getEtcdToken,
  InjectCoordination,
  InjectEtcd,
} from './module/coordination.tokens.js';
export {
  DuplicateConnectionError,
  OptionsFactoryError,
  UnknownConnectionError,
} from './module/coordination.errors.js';
export { InvalidOptionError } from './module/invalid-option.error.js';

export { Leader, type LeaderOptions } from './election/leader.decorator.js';
export { OnElected } from './election/on-elected.decorator.js';
export { OnRevoked } from './election/on-revoked.decorator.js';
export type { TermHookOptions } from './election/term-hook.js';
export { ElectionService } from './election/election.service.js';
export type { CandidacyOptions } from './election/election-options.js';
export type { LeaderTerm, TermEndReason } from './election/leader-term.js';
export type { Candidate, Leadership } from './election/leadership.js';
export { currentTerm } from './election/current-term.js';
export { CandidacyEndedError } from './election/candidacy-ended.error.js';
export { InvalidCandidacyError } from './election/invalid-candidacy.error.js';
export { InvalidElectionNameError } from './election/election-name.js';
export { CoordinationModuleMissingError } from './election/leader-gate.js';
export { NotLeaderError, type NotLeaderPayload } from './election/not-leader.error.js';
export { TermEndedError } from './election/term-ended.error.js';

export { WatchConfig, type WatchConfigOptions } from './config/watch-config.decorator.js';
export { ConfigStore } from './config/config.store.js';
export { WatchedConfig } from './config/watched-config.js';
export type { ConfigFormat, ConfigOptions } from './config/config-options.js';
export type { ConfigLayer } from './config/config-layer.js';
export type {
  ConfigChange,
  ConfigEntry,
  ConfigLayerEntry,
  ConfigRejection,
  ConfigSource,
  ConfigStatus,
} from './config/config-change.js';
export { ConfigInvalidError } from './config/config.errors.js';
export { ConfigReleases } from './config/release/config-releases.service.js';
export type { ReleaseView } from './config/release/release-view.js';

export { InvalidDecoratorUseError } from './nest/invalid-decorator-use.error.js';

export { currentFence } from './context/ownership-context.js';
export type { Fence } from './context/fence.js';

export type { SessionLease } from './session/session-lease.js';
export { EtcdSession } from './session/etcd-session.js';
export type { SessionOptions } from './session/session-options.js';
export type { SessionState } from './session/session-state.js';
export { type LeaseEndReason, SessionLostError } from './session/session-lost.error.js';

export { EtcdClient } from './client/etcd-client.js';
export type { CallSettings } from './client/caller.js';
export type {
  CallTimeouts,
  ClientOptions,
  RetryOptions,
  TlsCredentials,
  UserCredentials,
} from './client/client-options.js';
export { EtcdCoordinationError } from './client/coordination.error.js';
export {
  type ConnectFailure,
  type ConnectFailureReason,
  EtcdConnectError,
  TwoClustersError,
} from './client/etcd-connect.error.js';
export { InvalidEndpointError } from './client/endpoint-address.js';
export {
  ClientClosedError,
  EtcdAuthenticationError,
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
  EtcdTimeoutError,
  EtcdUnavailableError,
  LeaseExistsError,
  LeaseNotFoundError,
  RequestTooLargeError,
  RevisionCompactedError,
  WriteOutcomeUnknownError,
} from './client/etcd.errors.js';
