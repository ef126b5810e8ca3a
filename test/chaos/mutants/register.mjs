/**
 * `CHAOS_MUTANT=<name> node --import ./test/chaos/mutants/register.mjs file.ts` runs TypeScript as the loader in
 * `scripts/ts-loader` does, with that mutant's faults in the library. Without the variable nothing is changed.
 */
import { register } from 'node:module';
// First, whatever the command line says: hooks that came later are asked first.
import '../../../scripts/ts-loader/register.mjs';

const name = process.env.CHAOS_MUTANT;
if (name) {
  const { mutantNamed } = await import('./index.ts');
  register('./hooks.mjs', import.meta.url, { data: mutantNamed(name).replacements });
}
