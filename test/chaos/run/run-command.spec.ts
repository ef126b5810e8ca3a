import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeStage, fakeWork } from './fake-stage.js';
import { runCommand } from './run-command.js';

describe('the chaos command', () => {
  it('goes on to the next round when one breaks off, says which, and does not end well', async () => {
    const out = mkdtempSync(join(tmpdir(), 'chaos-command-'));
    onTestFinished(() => rmSync(out, { recursive: true, force: true }));
    const said: string[] = [];
    const complaints: string[] = [];
    const opened: string[] = [];

    const code = await runCommand(
      ['--minutes', '0.05', '--seed', '1', '--line', 'all', '--out', out],
      { say: (line) => said.push(line), complain: (line) => complaints.push(line) },
      async ({ line }) => {
        opened.push(line);
        if (line === '3.5.16') throw new Error('its disk is full');
        const stage = new FakeStage(fakeWork());
        stage.harm = () => Promise.resolve();
        onTestFinished(() => rmSync(stage.folder, { recursive: true, force: true }));
        return stage;
      },
    );

    expect(opened).toEqual(['3.4', '3.5.16', '3.5']);
    expect(complaints.join('\n')).toContain('its disk is full');
    expect(said).toContainEqual(
      expect.stringMatching(/^Broken off, so it says nothing: .* --seed 1 --line 3\.5\.16 /),
    );
    expect(code).toBe(1);
    expect(said.filter((line) => line.startsWith('  etcd 3.5.30: '))).toHaveLength(2);
    expect(said).toContainEqual(expect.stringMatching(/^\nReport: /));
  });
});
