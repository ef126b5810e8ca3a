import { HealthIndicatorService } from '@nestjs/terminus';
import { ServiceUnavailableException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { readAnswer, readFailure } from './check-answer.js';

const indicator = new HealthIndicatorService();
const healthResult = {
  status: 'error',
  info: { cache: { status: 'up' } },
  error: { database: { status: 'down', message: 'no route' }, disk: { status: 'down' } },
  details: {
    cache: { status: 'up' },
    database: { status: 'down', message: 'no route' },
    disk: { status: 'down' },
  },
};

describe('what a health check answers', () => {
  it.each<[string, unknown]>([
    ['true', true],
    ['nothing', undefined],
    ['null', null],
    ['up', { status: 'up' }],
    ['ok', { status: 'ok', info: {}, error: {}, details: {} }],
    ['degraded', { status: 'degraded', message: 'from cache' }],
    ["Terminus' indicator that is up", indicator.check('db').up()],
    ['two indicators', { a: { status: 'up' }, b: { status: 'degraded' } }],
  ])('passes: %s', (_, answer) => {
    expect(readAnswer(answer)).toEqual({ passed: true });
  });

  it.each<[string, unknown, string]>([
    ['false', false, 'answered false'],
    ['down', { status: 'down' }, 'said "down"'],
    ['error with a message', { status: 'error', message: 'full' }, 'said "error" (full)'],
    ['shutting down', { status: 'shutting_down', details: {} }, 'said "shutting_down"'],
    [
      "Terminus' indicator that is down",
      indicator.check('db').down('gone'),
      'found that "db" is down (gone)',
    ],
    [
      "Terminus' health check",
      healthResult,
      'found that "database" is down (no route), "disk" is down',
    ],
  ])('fails: %s', (_, answer, why) => {
    expect(readAnswer(answer)).toEqual({ passed: false, why });
  });

  it.each<[string, unknown, RegExp]>([
    ['a number', 1, /answered 1,/],
    ['zero', 0, /answered 0,/],
    ['a text', 'fine', /said "fine"/],
    ['an unknown status', { status: 'fine' }, /answered \{ status: 'fine' \}/],
    ['a status that is none', { status: 200 }, /answered \{ status: 200 \}/],
    ['an empty object', {}, /answered \{\},/],
    ['a list', [true], /answered \[ true \]/],
    ['a function', () => true, /answered \[Function/],
    ['an object of other things', { ok: true }, /answered \{ ok: true \}/],
    ['a response', new Response('ok'), /answered Response/],
  ])('is nonsense, and so a failure: %s', (_, answer, why) => {
    expect(readAnswer(answer)).toMatchObject({ passed: false, why: expect.stringMatching(why) });
  });

  it('is cut where it is too long for all who read it', () => {
    const { why } = readAnswer('x'.repeat(10_000)) as { why: string };
    expect(why.length).toBeLessThan(400);
  });
});

describe('what a health check throws', () => {
  it.each<[string, unknown, string]>([
    ['an error', new Error('no route'), 'failed: no route'],
    ['a text', 'boom', "threw 'boom'"],
    ['nothing', undefined, 'threw undefined'],
    [
      "Terminus' health check",
      new ServiceUnavailableException(healthResult),
      'found that "database" is down (no route), "disk" is down',
    ],
    [
      "Terminus' older indicators",
      Object.assign(new Error('x'), { causes: { db: { status: 'down' } } }),
      'found that "db" is down',
    ],
  ])('is a failure: %s', (_, error, why) => {
    expect(readFailure(error)).toEqual({ passed: false, why });
  });
});
