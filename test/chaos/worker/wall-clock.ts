/**
 * The wall clock of this process, which can be set as an operator, or NTP after a long sleep, sets it. To be
 * imported before anything that may keep `Date.now` for itself.
 */
let shiftMs = 0;

const RealDate = Date;
const now = () => RealDate.now() + shiftMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: unknown[], self) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, self) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, self) => (name === 'now' ? now : Reflect.get(target, name, self)),
});

/** Sets it forward by so many milliseconds, or back. */
export function jumpWallClock(byMs: number): void {
  shiftMs += byMs;
}
