export { CALL_KINDS, type CallKind } from '../embedded/door/call-kind.js';
export type { CutDirection } from '../embedded/door/embedded-door.js';
export { TestEtcd, type TestEntry } from './etcd/test-etcd.js';
export { EtcdTestingModule, type EtcdTestingOptions } from './etcd-testing.module.js';
export type { FleetOptions, InstanceOptions, TestTimeOptions } from './fleet/fleet-options.js';
export type { ConfigWaitOptions, WaitOptions } from './fleet/fleet-waits.js';
export { type AppModule, TestFleet } from './fleet/test-fleet.js';
export {
  type CallFailure,
  type FailureStatus,
  type FaultTarget,
  TestInstance,
} from './fleet/test-instance.js';
export type { TestLogEntry } from './fleet/test-log.js';
export { TestingUsageError, TestRestlessError, TestWaitError } from './testing.errors.js';
export type { TestTime } from './time/test-time.js';
