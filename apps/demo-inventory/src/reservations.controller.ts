import { Body, Controller, Post } from '@nestjs/common';
import type { Reservation } from '../../demo-shared/src/data/model.js';
import { ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { parseReservationRequest, type ReservationRequest } from './reservation-request.js';
import { Reservations } from './reservations.service.js';

@Controller('reservations')
export class ReservationsController {
  constructor(private readonly reservations: Reservations) {}

  /** Sets stock aside; safe to repeat with the same id, with any process. */
  @Post()
  reserve(
    @Body(new ParseWith(parseReservationRequest)) request: ReservationRequest,
  ): Promise<Reservation> {
    return this.reservations.reserve(request);
  }
}
