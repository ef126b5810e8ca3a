import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8');

describe('docs/testing.md', () => {
  it('shows the example that is tested here, to the letter', async () => {
    const [page, example] = await Promise.all([
      read('../../../../docs/testing.md'),
      read('./example.spec.ts'),
    ]);
    expect(page).toContain(`\`\`\`ts\n${example}\`\`\``);
  });
});
