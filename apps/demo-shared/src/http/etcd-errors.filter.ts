import {
  type ArgumentsHost,
  Catch,
  HttpException,
  HttpStatus,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { EtcdCoordinationError, RateLimitedError } from 'nestjs-etcd-coordination';

/**
 * Answers with the status that an error of the library names, as one of a lock does; all others mean
 * that etcd did not answer, which is 503 and not 500: the caller may come again.
 */
@Catch(EtcdCoordinationError)
export class EtcdErrorsFilter extends BaseExceptionFilter {
  private readonly logger = new Logger(EtcdErrorsFilter.name);

  override catch(error: EtcdCoordinationError, host: ArgumentsHost): void {
    const { code, message } = error;
    // A line for each one too many would only add to what is too much.
    if (!(error instanceof RateLimitedError)) {
      this.logger.warn(`A request failed because of etcd: ${message}`);
    }
    const statusCode = (error as { statusCode?: unknown }).statusCode;
    super.catch(
      typeof statusCode === 'number'
        ? new HttpException({ statusCode, message, code }, statusCode)
        : unavailable(code),
      host,
    );
  }
}

function unavailable(code: string): ServiceUnavailableException {
  return new ServiceUnavailableException({
    statusCode: HttpStatus.SERVICE_UNAVAILABLE,
    error: 'Service Unavailable',
    message: 'etcd did not answer. Try again; an order is safe to repeat with an Idempotency-Key.',
    code,
  });
}
