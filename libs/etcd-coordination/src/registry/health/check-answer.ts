import { inspect } from 'node:util';
import { isObject, textOrNull, type JsonObject } from '../json-record.js';

/** What a health check has found: passed, or why not. */
export type CheckOutcome =
  { readonly passed: true } | { readonly passed: false; readonly why: string };

const PASSED: CheckOutcome = { passed: true };
/** All who follow the service keep the reason. */
const MAX_REASON_CHARS = 300;
/** Of a health indicator, of Terminus' health check, and of anybody who answers like them. */
const GOOD = ['up', 'ok', 'degraded'];
const BAD = ['down', 'error', 'shutting_down'];

/**
 * Reads what a health check has answered. `true`, `undefined` and `null` pass, as does what says that it is
 * up, ok or degraded; `false` fails, and so does what means nothing: nobody knows that the instance is
 * well then. Understands Terminus' `HealthCheckResult` and `HealthIndicatorResult` by their shape.
 */
export function readAnswer(answer: unknown): CheckOutcome {
  if (answer === true || answer === undefined || answer === null) return PASSED;
  if (answer === false) return failed('answered false');
  if (typeof answer === 'string') return failed(`said ${JSON.stringify(shorten(answer))}`);
  const found = isObject(answer) ? readStatus(answer) : null;
  return (
    found ??
    failed(`answered ${shown(answer)}, which says neither that it passed nor that it failed`)
  );
}

/** Reads what a health check has thrown. Terminus throws what its indicators found. */
export function readFailure(error: unknown): CheckOutcome {
  if (!isObject(error)) return failed(`threw ${shown(error)}`);
  for (const inside of [error['response'], error['causes']]) {
    const found = isObject(inside) ? readStatus(inside) : null;
    if (found && !found.passed) return found;
  }
  const message = textOrNull(error['message']);
  return failed(message === null ? `threw ${shown(error)}` : `failed: ${message}`);
}

export function failed(why: string): CheckOutcome {
  return { passed: false, why: shorten(why) };
}

/** What an object says by its `status`, or by those of all its fields; null if it says nothing. */
function readStatus(answer: JsonObject): CheckOutcome | null {
  const { status } = answer;
  if (typeof status === 'string') {
    if (GOOD.includes(status)) return PASSED;
    if (!BAD.includes(status)) return null;
    const details = answer['error'] ?? answer['details'];
    const inside = isObject(details) ? readIndicators(details) : null;
    if (inside && !inside.passed) return inside;
    return failed(`said "${status}"${because(answer)}`);
  }
  return readIndicators(answer);
}

/** Each field is an indicator's word. */
function readIndicators(result: JsonObject): CheckOutcome | null {
  const words = Object.entries(result);
  if (words.length === 0) return null;
  const bad: string[] = [];
  for (const [name, word] of words) {
    const status = isObject(word) ? word['status'] : undefined;
    if (typeof status !== 'string' || ![...GOOD, ...BAD].includes(status)) return null;
    if (BAD.includes(status)) bad.push(`"${name}" is ${status}${because(word as JsonObject)}`);
  }
  return bad.length === 0 ? PASSED : failed(`found that ${bad.join(', ')}`);
}

function because(word: JsonObject): string {
  const message = textOrNull(word['message']) ?? textOrNull(word['reason']);
  return message === null ? '' : ` (${message})`;
}

function shown(value: unknown): string {
  return inspect(value, {
    depth: 1,
    breakLength: Infinity,
    maxStringLength: 80,
    maxArrayLength: 5,
  });
}

/** Cuts what is too long to be kept by all who follow the service. */
export function shorten(text: string): string {
  return text.length > MAX_REASON_CHARS ? `${text.slice(0, MAX_REASON_CHARS)}…` : text;
}
