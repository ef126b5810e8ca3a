import {
  type ArgumentsHost,
  Catch,
  HttpStatus,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { EtcdCoordinationError } from 'nestjs-etcd-coordination';

/** Answers 503, not 500, when it is etcd that did not answer: the caller may come again. */
@Catch(EtcdCoordinationError)
export class EtcdErrorsFilter extends BaseExceptionFilter {
  private readonly logger = new Logger(EtcdErrorsFilter.name);

  override catch(error: EtcdCoordinationError, host: ArgumentsHost): void {
    this.logger.warn(`A request failed because of etcd: ${error.message}`);
    const unavailable = new ServiceUnavailableException({
      statusCode: HttpStatus.SERVICE_UNAVAILABLE,
      error: 'Service Unavailable',
      message:
        'etcd did not answer. Try again; an order is safe to repeat with an Idempotency-Key.',
      code: error.code,
    });
    super.catch(unavailable, host);
  }
}
