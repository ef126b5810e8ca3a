import type { KnownNames } from './chaos-command.js';

/** What `npm run chaos -- --help` says. */
export function helpText({ lines, works, faults, mutants }: KnownNames): string {
  return `npm run chaos -- [options]

Has processes work on three real members of etcd while harm is done to both, heals, and judges
what all of them noted. Writes a page, as HTML and as Markdown, of what was found.

  --minutes N      how long harm is done, for each line and system; default 1. Longer than 3
                   minutes goes in rounds, each healed and judged, with seeds N, N + 1, …
  --seed N         the same choices as a run before; default: from the clock, and printed
  --line L         ${lines.join(', ')} or all; default ${lines.at(-1)}
  --system S       ours (default), etcd3 (plain etcd3 with its own recipes) or both
  --security S     plain, auth, tls or tls+auth; default: each round the next
  --works a,b      ${wrapped(works)}
                   default: all that the system can do
  --faults a,b     ${wrapped(faults)}
                   default: all
  --mutant a,b     deliberate faults in the library, each in the short run that must catch it:
                   ${wrapped(mutants)}
  --mutants        all of them, one after the other
  --out FOLDER     where the page and the notes go; left out, the page goes to a temporary
                   folder, and notes are kept only of runs that failed
  --recheck A,B    judges kept notes once more: of a run, or of all runs in a folder

Exit code 0 if this library kept every promise (and every mutant was caught), 1 if not, or if a
run was inconclusive: it saw too few operations, or faults that hit nobody. 2 if the command was
not understood. Ctrl-C ends the harm early; what was noted is judged all the same.
`;
}

const WIDTH = 78;

function wrapped(names: readonly string[]): string {
  const rows: string[] = [''];
  for (const [index, name] of names.entries()) {
    const word = index === names.length - 1 ? name : `${name}, `;
    if (rows.at(-1)!.length + word.length > WIDTH) rows.push('');
    rows[rows.length - 1] += word;
  }
  return rows.map((row) => row.trimEnd()).join(`\n${' '.repeat(19)}`);
}
