import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { normalise } from './support/normalise.js';
import { answers, b, put } from './support/requests.js';
import { LINES, Rig } from './support/rig.js';

describe.skipIf(LINES.length === 0)('the small services, as etcd does them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('authentication that is not enabled', () =>
    rig.compare(({ api }) => {
      const user = { name: 'nobody', password: 'x' };
      return answers(
        () => api.call('Auth', 'Authenticate', user),
        () => api.call('Auth', 'AuthEnable'),
        () => api.call('Auth', 'AuthDisable'),
        () => api.call('Auth', 'UserList'),
        () => api.call('Auth', 'RoleList'),
        () => api.call('Auth', 'UserGet', { name: 'nobody' }),
        () => api.call('Auth', 'UserDelete', { name: 'nobody' }),
        () => api.call('Auth', 'UserChangePassword', user),
        () => api.call('Auth', 'UserGrantRole', { user: 'nobody', role: 'none' }),
        () => api.call('Auth', 'UserRevokeRole', { name: 'nobody', role: 'none' }),
        () => api.call('Auth', 'RoleGet', { role: 'none' }),
        () => api.call('Auth', 'RoleDelete', { role: 'none' }),
        () => api.call('Auth', 'RoleGrantPermission', { name: 'none', perm: { key: b('k') } }),
        () => api.call('Auth', 'RoleRevokePermission', { role: 'none' }),
      );
    }));

  // Etcd 3.4 has no such call.
  test('the state of authentication', () =>
    rig.compare(({ api }) => answers(() => api.call('Auth', 'AuthStatus')), '3.5.16'));

  // Etcd 3.4 leaves the header of an alarm's answer out.
  test('alarms', () =>
    rig.compare(
      ({ api }) =>
        answers(
          () => api.call('Maintenance', 'Alarm'),
          () => api.call('Maintenance', 'Alarm', { action: 'Deactivate', alarm: 'Nospace' }),
        ),
      '3.5.16',
    ));

  test('defragmentation', () =>
    rig.compare(({ api }) => answers(() => api.call('Maintenance', 'Defragment'))));

  test('the one member leads, and is where it says', () =>
    rig.compare(async ({ api }) => {
      await put(api, 'k', 'v');
      const list = await api.response('Cluster', 'MemberList');
      const status = await api.response('Maintenance', 'Status');
      const [member] = list['members'] as Record<string, unknown>[];
      expect(member!['clientURLs']).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)]);
      return {
        members: list['members'].length,
        memberFields: Object.keys(member!).sort(),
        isLearner: member!['isLearner'],
        isItself: member!['ID'] === status['header'].member_id,
        leads: status['leader'] === status['header'].member_id,
        listHeader: normalise(list['header']),
        statusHeader: normalise(status['header']),
        statusFields: Object.keys(status).sort(),
        errors: status['errors'],
        learner: status['isLearner'],
        hasSize: Number(status['dbSize']) > 0,
        hasRaft: Number(status['raftTerm']) > 0 && Number(status['raftIndex']) > 0,
      };
    }));
});
