/**
 * What proves ownership to a third party: the key in etcd that stands for it and
 * the revision at which that key was created.
 *
 * A transaction that compares `create_revision(key) == token` commits only while
 * the ownership stands, whatever the clocks of its writers say. Later grants of
 * the same resource always carry a larger token.
 */
export interface Fence {
  /** What is owned, such as `election/reconciler`. */
  readonly resource: string;
  /** The whole key in etcd, namespace included, that exists while the grant stands. */
  readonly key: string;
  /** The create revision of `key`: larger than that of every earlier grant. */
  readonly token: bigint;
}
