import { ConflictException, Controller, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { ElectionService } from 'nestjs-etcd-coordination';
import { RECONCILER } from '../data/demo-keys.js';
import { DemoFreeze, type FreezeReport } from '../reconcile/freeze.service.js';
import { DEMO_SETTINGS, type DemoSettings } from '../settings.js';
import { ParseWith, type Problems } from './parse-with.pipe.js';

const LONGEST_FREEZE_MS = 60_000;
const WAIT_FOR_ORDER_MS = 30_000;

function parseMs(input: unknown, problems: Problems): number {
  const ms = Number(input);
  if (Number.isInteger(ms) && ms >= 1 && ms <= LONGEST_FREEZE_MS) return ms;
  problems.push(`ms must be a whole number from 1 to ${LONGEST_FREEZE_MS}`);
  return 0;
}

/**
 * `POST /demo/freeze?ms=5000`: stops the event loop of this leader at its next order, and answers
 * with what it found on waking. Only there with `DEMO=1`.
 */
@Controller('demo')
export class FreezeController {
  constructor(
    private readonly elections: ElectionService,
    private readonly freezer: DemoFreeze,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  @Post('freeze')
  @HttpCode(200)
  async freeze(@Query('ms', new ParseWith(parseMs)) ms: number): Promise<FreezeReport> {
    if (!this.elections.term(RECONCILER)) {
      throw new ConflictException(`${this.settings.instanceId} does not lead: freeze the leader.`);
    }
    return this.freezer.arm(ms, AbortSignal.timeout(WAIT_FOR_ORDER_MS));
  }
}
