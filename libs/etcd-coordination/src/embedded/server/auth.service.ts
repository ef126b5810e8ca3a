import { EtcdStatus } from '../etcd-status.js';
import type { HeaderFactory } from '../grpc/header.js';
import { unary } from '../grpc/unary.js';
import type { MvccStore } from '../store/mvcc-store.js';

/** The calls of etcd's Auth service, as an etcd answers that has neither users nor roles. */
export function authService(store: MvccStore, header: HeaderFactory) {
  const answer = (fields: object = {}) =>
    unary(() => ({ header: header(store.revision), ...fields }));
  const refuse = (status: () => EtcdStatus) =>
    unary(() => {
      throw status();
    });
  const noUsers = () => EtcdStatus.unsupported('users and roles');

  return {
    AuthStatus: answer({ enabled: false, authRevision: 1 }),
    AuthEnable: refuse(EtcdStatus.rootUserMissing),
    AuthDisable: answer(),
    Authenticate: refuse(EtcdStatus.authNotEnabled),
    UserList: answer({ users: [] }),
    UserGet: refuse(EtcdStatus.userNotFound),
    UserDelete: refuse(EtcdStatus.userNotFound),
    UserChangePassword: refuse(EtcdStatus.userNotFound),
    UserGrantRole: refuse(EtcdStatus.userNotFound),
    UserRevokeRole: refuse(EtcdStatus.userNotFound),
    RoleList: answer({ roles: [] }),
    RoleGet: refuse(EtcdStatus.roleNotFound),
    RoleDelete: refuse(EtcdStatus.roleNotFound),
    RoleGrantPermission: refuse(EtcdStatus.roleNotFound),
    RoleRevokePermission: refuse(EtcdStatus.roleNotFound),
    UserAdd: refuse(noUsers),
    RoleAdd: refuse(noUsers),
  };
}
