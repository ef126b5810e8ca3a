/**
 * The root of every error that this library throws.
 *
 * `code` is stable and made for programs; `message` is a whole sentence that
 * names the culprit and the cure, made for people.
 */
export class EtcdCoordinationError extends Error {
  constructor(
    /** A stable, upper-case name of what went wrong, such as `NOT_LEADER`. */
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}
