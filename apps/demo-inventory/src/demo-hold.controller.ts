import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { DemoHold, type HoldReport, type HoldState } from './demo-hold.service.js';

export interface HoldView {
  readonly state: HoldState;
  readonly report: HoldReport | null;
}

/**
 * `POST /demo/hold`: holds up the next reservation between reading and writing, until this process has
 * been stopped and woken; `GET` tells how far it is. Only there with `DEMO=1`.
 */
@Controller('demo/hold')
export class DemoHoldController {
  constructor(private readonly hold: DemoHold) {}

  @Post()
  @HttpCode(200)
  arm(): HoldView {
    this.hold.arm();
    return this.view();
  }

  @Get()
  view(): HoldView {
    const { state, report } = this.hold;
    return { state, report };
  }
}
