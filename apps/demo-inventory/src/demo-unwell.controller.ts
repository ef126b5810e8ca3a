import { Controller, Delete, HttpCode, Post } from '@nestjs/common';
import { DemoUnwell } from './demo-unwell.service.js';

/**
 * `POST /demo/unwell`: has a health check of this process fail; `DELETE` has it pass again. It goes on
 * answering all the same. Only there with `DEMO=1`.
 */
@Controller('demo/unwell')
export class DemoUnwellController {
  constructor(private readonly unwell: DemoUnwell) {}

  @Post()
  @HttpCode(200)
  begin(): { readonly isUnwell: boolean } {
    return this.set(true);
  }

  @Delete()
  end(): { readonly isUnwell: boolean } {
    return this.set(false);
  }

  private set(isUnwell: boolean) {
    this.unwell.isUnwell = isUnwell;
    return { isUnwell };
  }
}
