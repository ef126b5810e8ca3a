import { ConflictException, Inject, Injectable } from '@nestjs/common';
import {
  currentLock,
  DistributedLock,
  EtcdTransactions,
  type LockHandle,
  type Transaction,
} from 'nestjs-etcd-coordination';
import { DemoKeys } from '../../demo-shared/src/data/demo-keys.js';
import type {
  Reservation,
  ReservationLedgerEntry,
  StockItem,
} from '../../demo-shared/src/data/model.js';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import { DemoHold } from './demo-hold.service.js';
import type { ReservationRequest } from './reservation-request.js';

/** Longer than a lease: a holder that died is waited for. */
const WAIT_MS = 20_000;

/** Sets stock aside for customers, one after the other for each article, whichever process they ask. */
@Injectable()
export class Reservations {
  constructor(
    private readonly transactions: EtcdTransactions,
    private readonly keys: DemoKeys,
    private readonly hold: DemoHold,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  /**
   * Sets pieces of an article aside. The same id again answers with what was made before.
   *
   * Under the article's lock nobody else reserves of it; and what is written is guarded by the
   * lock's fence, so that a process that has lost the lock without noticing changes nothing.
   *
   * @throws ConflictException if there is too little, or the id is that of another reservation
   * @throws LockBusyError, LockLostError, StaleFenceError if the lock was not to be had, or was lost;
   *   nothing was changed then, unless the lock was lost just after
   */
  @DistributedLock('sku/{0.sku}', { waitMs: WAIT_MS })
  async reserve(request: ReservationRequest): Promise<Reservation> {
    const lock = currentLock()!;
    return this.hold.around(lock, () =>
      // The fence of the lock that this runs under.
      this.transactions.fenced().stm((transaction) => this.book(transaction, request, lock)),
    );
  }

  private async book(
    transaction: Transaction,
    request: ReservationRequest,
    lock: LockHandle,
  ): Promise<Reservation> {
    const { id, sku, quantity } = request;
    const token = lock.token.toString();
    const key = (whole: string) => this.keys.inNamespace(whole);
    const [earlier, shelf] = await Promise.all([
      transaction.get(key(this.keys.reservation(id))),
      transaction.get(key(this.keys.stockOf(sku))),
    ]);
    if (earlier) return sameAs(request, earlier.json<Reservation>());
    const stock = shelf?.json<StockItem>() ?? { sku, onHand: 0 };
    if (stock.onHand < quantity) {
      throw new ConflictException(
        `${quantity} of ${sku} were to be reserved and ${stock.onHand} are on hand.`,
      );
    }
    // Between reading and writing: here a process that freezes does the most harm.
    await this.hold.here(lock);
    const reservedBy = this.settings.instanceId;
    const reservation: Reservation = { id, sku, quantity, token, reservedBy };
    const entry: ReservationLedgerEntry = {
      ...{ kind: 'reservation', sku, delta: -quantity, reservationId: id, token, reservedBy },
    };
    const put = (whole: string, value: object) =>
      transaction.put(key(whole), JSON.stringify(value));
    put(this.keys.stockOf(sku), { ...stock, onHand: stock.onHand - quantity });
    put(this.keys.reservation(id), reservation);
    put(this.keys.reservationLedger(sku, id), entry);
    return reservation;
  }
}

function sameAs({ id, sku, quantity }: ReservationRequest, earlier: Reservation): Reservation {
  if (earlier.sku === sku && earlier.quantity === quantity) return earlier;
  throw new ConflictException(`The id ${id} is that of another reservation.`);
}
