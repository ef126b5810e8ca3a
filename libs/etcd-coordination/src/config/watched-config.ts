import type { Observable } from 'rxjs';
import type { ConfigChange, ConfigStatus } from './config-change.js';

/** A configuration that this process follows: its last good value, and each next one. */
export abstract class WatchedConfig<T = unknown> {
  abstract readonly key: string;
  /** The present value, once there is one, and then each next one; frozen. Completes with the connection. */
  abstract readonly value$: Observable<T>;
  /** Each change from now on; the first value is one, with no `previous`. Completes with the connection. */
  abstract readonly changes$: Observable<ConfigChange<T>>;

  /**
   * The last good value. Reads a field: no promise, no call.
   *
   * Plain objects and arrays are frozen, however deep. Instances that a schema has made, such as a
   * Date, a Map or one of your own classes, are left as they are: whoever changes one changes it
   * for all who read it. An instance is taken to be equal only to itself; a Date, a Map and a Set
   * are equal by what they hold.
   *
   * @throws {ConfigNotReadyError} before there is one
   */
  abstract get value(): T;

  /** The present value as a change from nothing: what to tell somebody who has been told none. Throws as {@link value}. */
  abstract present(): ConfigChange<T>;

  /** How it stands with etcd. Makes no call. */
  abstract status(): ConfigStatus;

  /**
   * Resolves once there is a value. A later call may resolve where an earlier one rejected: it is
   * followed all the same.
   *
   * @throws {ConfigMissingError} if there is neither a document nor a default
   * @throws {ConfigInvalidError} if the documents are invalid, and neither a snapshot nor a default stands in
   * @throws {ConfigUnavailableError} if etcd does not answer, and neither stands in
   * @throws what etcd refuses to show it with
   */
  abstract ready(): Promise<void>;
}
