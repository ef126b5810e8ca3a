import { badPushAct } from './acts/bad-push.act.js';
import { doneWithoutAct } from './acts/done-without.act.js';
import { drainAct } from './acts/drain.act.js';
import { electionAct } from './acts/election.act.js';
import { freezeAct } from './acts/freeze.act.js';
import { gracefulStopAct } from './acts/graceful-stop.act.js';
import { goodPushAct } from './acts/good-push.act.js';
import { killAct } from './acts/kill.act.js';
import { ordersAct } from './acts/orders.act.js';
import { releaseAct } from './acts/release.act.js';
import { reservationAct } from './acts/reservation.act.js';
import { restartAct } from './acts/restart.act.js';
import { PATIENCE_MS, type Scene } from './acts/scene.js';
import { sumsAct } from './acts/sums.act.js';
import { tooManyOrdersAct } from './acts/too-many-orders.act.js';
import { trailAct } from './acts/trail.act.js';
import { unwellAct } from './acts/unwell.act.js';
import { zoneAct } from './acts/zone.act.js';
import { Child } from './child.js';
import type { Narrator } from './narrator.js';
import { Observer } from './observer.js';
import { OrderDesk } from './order-desk.js';
import { type Actor, Stage } from './stage.js';
import { until } from './until.js';

/** Short, so that nobody has to wait long for a crash to show. */
const TTL_SECONDS = 3;

/** The whole demo: etcd, the services, the story, and what stays up after it. */
export class Demo {
  staysUp = false;
  /** Of each run its own, as an etcd that was there before may hold an earlier one. */
  private readonly prefix = `demo-${process.pid}-${Date.now().toString(36)}`;
  private etcd: Child | null = null;
  private observer: Observer | null = null;
  private stage: Stage | null = null;
  private closed: Promise<void> | null = null;

  constructor(
    private readonly narrator: Narrator,
    private readonly logs: string,
  ) {}

  /** Plays all acts. */
  async play(): Promise<void> {
    const scene = await this.open();
    await electionAct(scene);
    await ordersAct(scene);
    await killAct(scene);
    await freezeAct(scene);
    await reservationAct(scene);
    await gracefulStopAct(scene);
    await unwellAct(scene);
    await drainAct(scene);
    await zoneAct(scene);
    await goodPushAct(scene);
    await badPushAct(scene);
    await releaseAct(scene);
    await trailAct(scene);
    await tooManyOrdersAct(scene);
    await doneWithoutAct(scene);
    await restartAct(scene);
    await sumsAct(scene);
  }

  /** Leaves everything running, tells of what happens, and replaces what is killed. */
  stayUp(): void {
    const { narrator, observer, stage } = this;
    if (!observer || !stage || this.closed) return;
    this.staysUp = true;
    narrator.title('The demo stays up until Ctrl-C. Some things to try:');
    this.listActors(stage);
    const [orders] = stage.of('orders');
    const [inventory] = stage.of('inventory');
    const json = `-H 'content-type: application/json'`;
    narrator.line(`
  curl -s ${orders?.client.url}/coordination
  curl -s ${orders?.client.url}/config
  curl -s ${orders?.client.url}/health
  curl -s ${orders?.client.url}/inventory
  curl -s ${orders?.client.url}/inventory/bolt
  curl -s -X POST ${inventory?.client.url}/demo/unwell
  curl -s -X POST ${orders?.client.url}/orders ${json} -d '{"sku":"bolt","quantity":2}'
  curl -s -X POST ${orders?.client.url}/reservations ${json} -d '{"sku":"bolt","quantity":2}'
  curl -s -X PUT ${inventory?.client.url}/stock/lamp ${json} -d '{"quantity":50}'
  curl -s ${orders?.client.url}/traffic
  curl -s ${orders?.client.url}/orders/order-001/recommendations
  curl -s -X POST '${orders?.client.url}/demo/recommender?fault=failing'
  curl -s ${inventory?.client.url}/audit
  kill -9 <pid of the leader>\n`);
    this.listConfigCommands(stage);
    observer.onLeader(({ leadership }) =>
      narrator.happens(`${leadership.leaderId} leads now, with epoch ${leadership.epoch}.`),
    );
    stage.onExit((actor) => {
      narrator.happens(`${actor.name} has ended; another one takes its place.`);
      void this.replace(stage, actor);
    });
    void this.etcd?.exited.then(() => {
      if (!this.closed) narrator.happens('etcd has ended. The services go on looking for it.');
    });
  }

  /** Shows the end of each process's log. */
  showLogs(): void {
    for (const child of this.children()) {
      this.narrator.line(`\n${child.name}, ${child.logFile}:\n${child.logTail()}`);
    }
  }

  /** Ends everything that was started, in an order in which nobody misses anybody. */
  close(): Promise<void> {
    this.closed ??= this.closeAll();
    return this.closed;
  }

  private async open(): Promise<Scene> {
    const { narrator, prefix, logs } = this;
    narrator.title('nestjs-etcd-coordination: two services, five processes, one leader');
    const endpoints = await this.openEtcd();
    const observer = await Observer.open(endpoints, prefix);
    this.observer = observer;
    const stage = new Stage({ endpoints, prefix, logs, ttlSeconds: TTL_SECONDS });
    this.stage = stage;
    narrator.line(`  logs        ${logs}`);
    await stage.open();
    this.listActors(stage);
    const ttlSeconds = await this.grantedTtl(stage);
    return {
      narrator,
      stage,
      observer,
      prefix,
      desk: new OrderDesk(stage),
      ttlMs: ttlSeconds * 1000,
    };
  }

  private async openEtcd(): Promise<readonly string[]> {
    const named = process.env.ETCD_ENDPOINTS;
    if (named) {
      this.narrator.line(`  etcd        ${named}, from ETCD_ENDPOINTS; keys under ${this.prefix}/`);
      return named
        .split(',')
        .map((endpoint) => endpoint.trim())
        .filter((endpoint) => endpoint !== '');
    }
    this.etcd = Child.start('etcd', 'scripts/demo/etcd-process.js', {}, this.logs);
    const endpoint = String(await this.etcd.ready());
    this.narrator.line(`  etcd        ${endpoint}, the embedded server, pid ${this.etcd.pid}`);
    return [endpoint];
  }

  private listActors(stage: Stage): void {
    for (const { name, client, child } of stage.actors) {
      this.narrator.line(`  ${name.padEnd(11)} ${client.url}  pid ${child.pid}`);
    }
  }

  /** A server may grant more than it was asked for, and what it granted counts. */
  private grantedTtl(stage: Stage): Promise<number> {
    return until('A lease', PATIENCE_MS, async () => {
      const [actor] = stage.actors;
      return (await actor?.client.coordination())?.session.ttlSeconds ?? null;
    });
  }

  /** Each line stands alone, so that it can be copied into any terminal. */
  private listConfigCommands({ endpoints }: Stage): void {
    const prices = JSON.stringify({ bolt: 35, nut: 12, lamp: 5200 });
    const cut = JSON.stringify({ manual: { state: 'off' } });
    const commands = [
      'get prices',
      `set prices '${prices}' --reason 'Steel is dearer.'`,
      `set prices '{"bolt":"free"}'`,
      'history prices',
      'rollback prices 1',
      `release start prices '${prices}' --label track=canary --steps 50,100 --observe 3s --follow`,
      `set reconciler '{"paused":true}'`,
      'delete reconciler',
      `set traffic/limits/orders '{"limit":1,"burst":1}' --reason 'The warehouse is full.'`,
      'delete traffic/limits/orders',
      `set traffic/switches/recommendations '${cut}' --reason 'A rush is expected.'`,
      'delete traffic/switches/recommendations',
      'history traffic/switches/recommendations',
    ];
    const where = `ETCD_ENDPOINTS=${endpoints.join(',')} DEMO_PREFIX=${this.prefix}`;
    for (const command of commands) this.narrator.line(`  ${where} npm run config -- ${command}`);
    this.narrator.line('');
  }

  private async replace(stage: Stage, gone: Actor): Promise<void> {
    try {
      const { name, client, child } = await stage.replace(gone);
      this.narrator.happens(`${name} is there: ${client.url}, pid ${child.pid}.`);
    } catch (error) {
      if (!this.closed) this.narrator.happens(String(error));
    }
  }

  private *children(): Generator<Child> {
    if (this.etcd) yield this.etcd;
    yield* this.stage?.everyChild ?? [];
  }

  private async closeAll(): Promise<void> {
    await this.stage?.close();
    await this.observer?.sweep().catch(() => {});
    await this.observer?.close().catch(() => {});
    await this.etcd?.stop();
  }
}
