/**
 * `node --import ./scripts/ts-loader/register.mjs file.ts` runs TypeScript with Nest's decorators from
 * source, as vitest does, in any process that a test or a script starts.
 */
import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
process.setSourceMapsEnabled(true);
