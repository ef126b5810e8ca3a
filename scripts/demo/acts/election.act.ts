import { until } from '../until.js';
import { PATIENCE_MS, type Scene } from './scene.js';

/** All processes stand, one leads, and all name the same one. */
export async function electionAct({ narrator, stage, observer }: Scene): Promise<void> {
  narrator.act(
    'One of five leads',
    'Two processes of demo-orders and three of demo-inventory stand in one election, "reconciler". Each has the same method under @Interval and @Leader; it runs in the one that leads.',
  );
  narrator.expect('one process leads, and all five name it');
  const actors = stage.actors;
  const views = await until('One view in all processes', PATIENCE_MS, async () => {
    const all = await Promise.all(actors.map(({ client }) => client.coordination()));
    const agreed = all.every(({ leader }) => leader && leader.epoch === all[0]?.leader?.epoch);
    const complete = all.every(({ candidates }) => candidates?.length === actors.length);
    return agreed && complete ? all : null;
  });
  const leading = views.filter(({ term }) => term !== null);
  const leader = views[0]?.leader;
  narrator.seen(
    `${leading.map(({ instanceId }) => instanceId).join(', ')} leads with epoch ${leader?.epoch}; all ${views.length} say so`,
    leading.length === 1 &&
      leading[0]?.instanceId === leader?.leaderId &&
      observer.leader?.leaderId === leader?.leaderId,
  );
  narrator.table(
    views.map(({ instanceId, session, term }, i) => [
      instanceId,
      actors[i]?.client.url ?? '',
      `session ${session.state}`,
      term ? `leads, epoch ${term.epoch}` : 'waits',
    ]),
  );
  narrator.expect('GET /health is ok everywhere');
  const healths = await Promise.all(actors.map(({ client }) => client.health()));
  const healthy = healths.filter((health) => health === 'ok');
  narrator.seen(`${healthy.length} of ${actors.length} are well`, healthy.length === actors.length);
}
