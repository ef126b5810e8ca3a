import { status } from '@grpc/grpc-js';

/**
 * An answer that is an error: a gRPC code with etcd's own message, word for
 * word, as clients tell errors apart by it. Made to be sent, never to be
 * thrown at a user of the library.
 */
export class EtcdStatus extends Error {
  constructor(
    readonly code: status,
    readonly details: string,
  ) {
    super(details);
    this.name = 'EtcdStatus';
  }

  static readonly keyNotProvided = () => invalid('etcdserver: key is not provided');
  static readonly keyNotFound = () => invalid('etcdserver: key not found');
  static readonly valueProvided = () => invalid('etcdserver: value is provided');
  static readonly leaseProvided = () => invalid('etcdserver: lease is provided');
  static readonly tooManyOperations = () =>
    invalid('etcdserver: too many operations in txn request');
  static readonly duplicateKey = () => invalid('etcdserver: duplicate key given in txn request');
  static readonly requestTooLarge = () => invalid('etcdserver: request is too large');

  static readonly compacted = () =>
    outOfRange('etcdserver: mvcc: required revision has been compacted');
  static readonly futureRevision = () =>
    outOfRange('etcdserver: mvcc: required revision is a future revision');
  static readonly leaseTtlTooLarge = () => outOfRange('etcdserver: too large lease TTL');

  static readonly leaseNotFound = () =>
    new EtcdStatus(status.NOT_FOUND, 'etcdserver: requested lease not found');
  static readonly leaseExists = () => failed('etcdserver: lease already exists');

  static readonly authNotEnabled = () => failed('etcdserver: authentication is not enabled');
  static readonly rootUserMissing = () => failed('etcdserver: root user does not exist');
  static readonly userNotFound = () => failed('etcdserver: user name not found');
  static readonly roleNotFound = () => failed('etcdserver: role name not found');

  static readonly stopped = () => new EtcdStatus(status.UNAVAILABLE, 'etcdserver: server stopped');

  /** For what only a real etcd can do. */
  static readonly unsupported = (what: string) =>
    new EtcdStatus(
      status.UNIMPLEMENTED,
      `The embedded etcd has no ${what}. Use a real etcd server for that.`,
    );
}

const invalid = (details: string) => new EtcdStatus(status.INVALID_ARGUMENT, details);
const outOfRange = (details: string) => new EtcdStatus(status.OUT_OF_RANGE, details);
const failed = (details: string) => new EtcdStatus(status.FAILED_PRECONDITION, details);
