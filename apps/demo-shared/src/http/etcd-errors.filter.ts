import {
  type ArgumentsHost,
  Catch,
  HttpStatus,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { EtcdError, GRPCGenericError } from 'etcd3';
import { EtcdCoordinationError } from 'nestjs-etcd-coordination';

/** Answers 503, not 500, when it is etcd that did not answer: the caller may come again. */
@Catch(EtcdCoordinationError, GRPCGenericError, EtcdError)
export class EtcdErrorsFilter extends BaseExceptionFilter {
  private readonly logger = new Logger(EtcdErrorsFilter.name);

  override catch(error: Error, host: ArgumentsHost): void {
    this.logger.warn(`A request failed because of etcd: ${error.message}`);
    const unavailable = new ServiceUnavailableException({
      statusCode: HttpStatus.SERVICE_UNAVAILABLE,
      error: 'Service Unavailable',
      message: 'etcd did not answer. Try again; with an Idempotency-Key it is safe for orders too.',
      cause: error.message,
    });
    super.catch(unavailable, host);
  }
}
