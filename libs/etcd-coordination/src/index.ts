// Every public name, spelled out: what is not here may change without notice.

export { EtcdCoordinationModule } from './module/etcd-coordination.module.js';
export type {
  ConfigKeepingOptions,
  CoordinationAsyncOptions,
  CoordinationOptions,
  CoordinationOptionsFactory,
  RegistryOptions,
  ServiceOptions,
  ShutdownOptions,
} from './module/coordination-options.js';
export type { TrafficOptions } from './module/traffic-options.js';
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
export type { CandidacyState } from './election/candidacy.js';
export type { CandidacyOptions } from './election/election-options.js';
export type { ElectionStatus } from './election/election-status.js';
export type { LeaderTerm, TermEndReason } from './election/leader-term.js';
export type { Candidate, Leadership } from './election/leadership.js';
export { currentTerm } from './election/current-term.js';
export { CandidacyEndedError } from './election/candidacy-ended.error.js';
export { InvalidCandidacyError } from './election/invalid-candidacy.error.js';
export { InvalidElectionNameError } from './election/election-name.js';
export { NotLeaderError, type NotLeaderPayload } from './election/not-leader.error.js';
export { TermEndedError } from './election/term-ended.error.js';

export { DistributedLock, type DistributedLockOptions } from './lock/distributed-lock.decorator.js';
export type { LockErrorPayload } from './lock/lock-gate.js';
export { LockService } from './lock/lock.service.js';
export type { Lock, LockOptions, LockTurns, ReadWriteLock } from './lock/lock-options.js';
export type { LockHandle, LockLossReason } from './lock/lock-handle.js';
export type { MultiLock } from './lock/multi-lock.js';
export type { MultiLockHandle } from './lock/multi-handle.js';
export { currentLock } from './lock/current-lock.js';
export { InvalidLockNameError } from './lock/lock-name.js';
export { LockReleasedError } from './lock/lock-released.error.js';
export {
  InvalidLockOptionError,
  LockBusyError,
  LockLostError,
  LockReentryError,
  LockShutdownError,
  LockUpgradeError,
  LockWaitAbortedError,
  SemaphorePermitsError,
} from './lock/lock.errors.js';

export { ServiceRegistry } from './registry/service.registry.js';
export type { Registration } from './registry/registration.js';
export type {
  MarkOptions,
  RegistrationHealth,
  ServiceRegistration,
} from './registry/registration-options.js';
export type { HealthCheck as ServiceHealthCheck } from './registry/health/health-check.js';
export type {
  HealthWord,
  InstanceState,
  ProbeSpec,
  ServiceInstance,
  ServiceProtocol,
} from './registry/service-instance.js';
export {
  DuplicateInstanceError,
  InvalidRegistrationError,
  RegistrationEndedError,
} from './registry/registry.errors.js';

export { ServiceDiscovery } from './discovery/service.discovery.js';
export type {
  DiscoveryOptions,
  EjectionOptions,
  ProtectionOptions,
} from './discovery/discovery-options.js';
export type {
  Attempt,
  BeginOptions,
  ChooseOptions,
  ChooseStrategy,
  ServicePool,
} from './discovery/service-pool.js';
export type { ListSource, ServiceStatus } from './discovery/service-status.js';
export { InvalidDiscoveryOptionError, NoInstanceError } from './discovery/discovery.errors.js';
export type { CallAttempt, CallOptions, ServiceCall } from './discovery/call/call-options.js';
export type { ServiceFetch, ServiceFetchInit } from './discovery/call/service-fetch.js';
export { CallTimeoutError, InvalidServiceUrlError } from './discovery/call/call.errors.js';

export {
  type FencedMethod,
  RequireFence,
  type RequireFenceOptions,
} from './fencing/require-fence.decorator.js';
export { FenceInterceptor } from './fencing/fence.interceptor.js';
export { FenceLedger } from './fencing/fence-ledger.js';
export { carryFences, FenceCarrierError } from './fencing/carry-fences.js';
export { type FenceCarrier, fenceHeaders, withFence } from './fencing/fence-headers.js';
export {
  decodeFence,
  decodeFences,
  encodeFence,
  encodeFences,
  FENCE_HEADER,
} from './fencing/fence-codec.js';
export {
  FenceLedgerError,
  FenceMismatchError,
  FenceRequiredError,
  FenceUncheckedError,
  InvalidFenceError,
} from './fencing/fence.errors.js';

export { RateLimit, type RateLimitDecoratorOptions } from './traffic/limit/rate-limit.decorator.js';
export {
  RateLimiter,
  type RateLimitCall,
  type RateLimitStatus,
} from './traffic/limit/rate-limiter.js';
export type { RateLimitDecision, RateLimitRefusal } from './traffic/limit/rate-limit-decision.js';
export type {
  RateLimitKey,
  RateLimitOptions,
  RateLimitRule,
} from './traffic/limit/rate-limit-rule.js';
export {
  InvalidRateLimitCallError,
  RateLimitedError,
  type RateLimitedPayload,
} from './traffic/limit/rate-limit.errors.js';
export {
  type MethodFallback,
  Resilient,
  type ResilientOptions,
} from './traffic/resilience/resilient.decorator.js';
export { type ExecuteOptions, Resilience } from './traffic/resilience/resilience.service.js';
export { type CallContext, currentCall } from './traffic/resilience/current-call.js';
export type { PolicyStatus } from './traffic/resilience/live-policy.js';
export type { BulkheadStatus } from './traffic/resilience/bulkhead.js';
export type { BreakerState, BreakerStatus } from './traffic/resilience/breaker/circuit-breaker.js';
export type {
  BreakerOptions,
  BulkheadOptions,
  HedgeOptions,
  Policy,
  PolicyOptions,
  RetryPolicyOptions,
} from './traffic/resilience/policy.js';
export {
  BreakerOpenError,
  BulkheadFullError,
  FallbackFailedError,
  InvalidResilienceOptionError,
  ResilienceError,
  type ResilienceErrorPayload,
  ResilienceTimeoutError,
} from './traffic/resilience/resilience.errors.js';
export { Degradable, type DegradableOptions } from './traffic/switches/degradable.decorator.js';
export { Switches } from './traffic/switches/switches.js';
export type { AutoOptions, SwitchOptions } from './traffic/switches/switch-rule.js';
export type { SwitchFlip, SwitchSource, SwitchStatus } from './traffic/switches/switch-status.js';
export type { SwitchChange, TimedSwitchChange } from './traffic/switches/switch-writer.js';
export {
  DegradedError,
  DegradedFallbackError,
  InvalidSwitchChangeError,
  type SwitchErrorPayload,
} from './traffic/switches/switch.errors.js';
export {
  InvalidTrafficRuleError,
  type TrafficNoun,
  UnknownTrafficNameError,
} from './traffic/traffic.errors.js';

export { EtcdTransactions } from './transaction/etcd-transactions.js';
export type { FencedTransactions } from './transaction/fenced-transactions.js';
export type {
  CompareAndSetResult,
  CurrentValues,
  GuardedTransactions,
  NextValue,
  NextValues,
  UpdateOptions,
  UpdateResult,
} from './transaction/guarded-transactions.js';
export type { Expectation } from './transaction/expectation.js';
export type { StmResult, StmWork } from './transaction/run-stm.js';
export type { Transaction } from './transaction/transaction.js';
export type { BatchResult, TransactionBatch } from './transaction/transaction-batch.js';
export type {
  PutOptions,
  RetryOptions as TransactionRetryOptions,
  StmOptions,
  TransactionIsolation,
  TransactionValue,
} from './transaction/transaction-options.js';
export {
  type BatchedOptions,
  type BatchedPutOptions,
  WriteBatcher,
  type WriteBatcherStats,
} from './transaction/write-batcher.js';
export type { BatchedWrite } from './transaction/batch-queue.js';
export type { WriteBatcherOptions } from './transaction/write-batcher-options.js';
export {
  InvalidWriteBatcherOptionsError,
  WriteBatcherClosedError,
  WriteBatcherFullError,
} from './transaction/write-batcher.errors.js';
export {
  InvalidTransactionError,
  NoFenceError,
  NoSessionLeaseError,
  ReservedKeyError,
  TransactionConflictError,
  TransactionTooLargeError,
} from './transaction/transaction.errors.js';

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
export type { ConfigDifference } from './config/config-diff.js';
export type {
  ConfigHistoryEntry,
  ConfigRevision,
  RollbackConfigOptions,
  SetConfigOptions,
  WriteConfigOptions,
} from './config/config-publisher.js';
export {
  ConfigConflictError,
  ConfigDeclarationError,
  ConfigInvalidError,
  type ConfigIssue,
  ConfigLayerMissingError,
  ConfigMissingError,
  ConfigNotReadyError,
  ConfigTooLargeError,
  ConfigUnavailableError,
  ConfigVersionError,
  InvalidConfigLayerError,
  InvalidConfigWriteError,
} from './config/config.errors.js';
export { InvalidConfigNameError } from './config/config-name.js';
export { ConfigReadOnlyError } from './config/watch-config.errors.js';
export type { SnapshotOptions } from './config/snapshot/snapshot-options.js';
export {
  SnapshotError,
  type SnapshotFault,
  SnapshotInUseError,
} from './config/snapshot/snapshot.errors.js';
export {
  ConfigReleases,
  type ReleaseActionOptions,
  type StartReleaseOptions,
} from './config/release/config-releases.service.js';
export type { HealthCheck } from './config/release/health-checks.js';
export type { ReleasePlanOptions } from './config/release/release-plan.js';
export type { ReleaseState } from './config/release/release-record.js';
export type {
  ReleaseCanary,
  ReleaseHistoryEntry,
  ReleaseView,
} from './config/release/release-view.js';
export {
  InvalidHealthCheckError,
  InvalidReleasePlanError,
  ReleaseBusyError,
  ReleaseDocumentError,
  ReleaseNotUnderWayError,
  ReleaseUnderWayError,
} from './config/release/release.errors.js';

export { WatchService, type WatchServiceOptions } from './watch/watch.service.js';
export type { WatchOptions } from './watch/watch-options.js';
export type { WatchEvent } from './watch/watch-event.js';
export type { WatchedValue } from './watch/watched-value.js';
export type { StateMap } from './watch/range-state.js';
export type { WatchedState } from './watch/watched-state.js';
export type { WatchStream } from './watch/watch-stream.js';
export { batch, type BatchOptions } from './watch/operators/batch.js';
export type { Bounds } from './watch/operators/bounded-queue.js';
export { coalesce } from './watch/operators/coalesce.js';
export { inTurn } from './watch/operators/in-turn.js';
export { iterate } from './watch/operators/iterate.js';
export {
  InvalidWatchError,
  RevisionOfTheFutureError,
  SlowConsumerError,
  WatchedValueError,
} from './watch/watch.errors.js';

export { CoordinationModuleMissingError } from './nest/coordination-module-missing.error.js';
export { InvalidDecoratorUseError } from './nest/invalid-decorator-use.error.js';
export { InvalidKeyArgumentError } from './nest/invalid-key-argument.error.js';
export type { KeySource } from './nest/key-template.js';

export { currentFence, currentFences } from './context/ownership-context.js';
export { StaleFenceError } from './context/stale-fence.error.js';
export type { Fence } from './context/fence.js';

export type { SessionLease } from './session/session-lease.js';
export { EtcdSession } from './session/etcd-session.js';
export type { SessionOptions } from './session/session-options.js';
export type { SessionState } from './session/session-state.js';
export { type LeaseEndReason, SessionLostError } from './session/session-lost.error.js';

export { type ConnectSettings, EtcdClient } from './client/etcd-client.js';
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
