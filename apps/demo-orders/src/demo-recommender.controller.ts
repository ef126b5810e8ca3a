import { Controller, Delete, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ParseWith, type Problems } from '../../demo-shared/src/http/parse-with.pipe.js';
import { RECOMMENDER_FAULTS, Recommender, type RecommenderFault } from './recommender.service.js';

/** How the recommender of a process is, and how often it was asked. */
export interface RecommenderView {
  readonly fault: RecommenderFault | null;
  readonly asked: number;
}

function parseFault(input: unknown, problems: Problems): RecommenderFault {
  const fault = RECOMMENDER_FAULTS.find((known) => known === input);
  if (!fault) problems.push(`fault must be one of ${RECOMMENDER_FAULTS.join(', ')}`);
  return fault ?? 'failing';
}

/**
 * `POST /demo/recommender?fault=hanging`: breaks what finds recommendations, in this process; `DELETE` mends
 * it. Only there with `DEMO=1`.
 */
@Controller('demo/recommender')
export class DemoRecommenderController {
  constructor(private readonly recommender: Recommender) {}

  @Get()
  view(): RecommenderView {
    const { fault, asked } = this.recommender;
    return { fault, asked };
  }

  @Post()
  @HttpCode(200)
  break(@Query('fault', new ParseWith(parseFault)) fault: RecommenderFault): RecommenderView {
    return this.set(fault);
  }

  @Delete()
  mend(): RecommenderView {
    return this.set(null);
  }

  private set(fault: RecommenderFault | null): RecommenderView {
    this.recommender.fault = fault;
    return this.view();
  }
}
