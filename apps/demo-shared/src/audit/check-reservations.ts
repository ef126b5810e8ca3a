import type { ReservationLedgerEntry } from '../data/model.js';
import type { Books } from './audit.js';

/** What is wrong with the reservations: none without its entry, none twice, no lock wrote after a later one. */
export function checkReservations({ reservations, ledger }: Books): string[] {
  const entries = ledger.flatMap(({ key, value, modRevision }) =>
    value.kind === 'reservation' ? [{ key, value, revision: BigInt(modRevision) }] : [],
  );
  const problems = checkTokens(entries);
  const strays = new Set(entries.map(({ value }) => value.reservationId));
  for (const { value: reservation, version } of reservations) {
    const { id, sku, quantity, token } = reservation;
    strays.delete(id);
    const own = entries.filter(({ value }) => value.reservationId === id);
    if (own.length !== 1) problems.push(`Reservation ${id} has ${own.length} ledger entries.`);
    if (version !== 1) problems.push(`Reservation ${id} was written ${version} times.`);
    for (const { value } of own) {
      if (value.delta !== 0 - quantity || value.sku !== sku || value.token !== token) {
        problems.push(`Reservation ${id} and its ledger entry do not agree.`);
      }
    }
  }
  return [
    ...problems,
    ...[...strays].map((id) => `Reservation ${id} is in the ledger and nowhere else.`),
  ];
}

/** A write under an earlier grant of an article's lock, behind one under a later grant, got past its fence. */
function checkTokens(
  entries: readonly { key: string; value: ReservationLedgerEntry; revision: bigint }[],
): string[] {
  const newest = new Map<string, bigint>();
  const problems: string[] = [];
  for (const { key, value } of [...entries].sort((a, b) => (a.revision < b.revision ? -1 : 1))) {
    const token = BigInt(value.token);
    const before = newest.get(value.sku) ?? 0n;
    if (token < before) {
      problems.push(`${key} was written under token ${token} after token ${before} had written.`);
    } else {
      newest.set(value.sku, token);
    }
  }
  return problems;
}
