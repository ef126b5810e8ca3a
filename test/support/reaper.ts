import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';

/**
 * Nothing that a test starts may outlive its process, even one that is killed with SIGKILL. So a small shell
 * holds the other end of a pipe: when this process ends, however it ends, the shell reads the end of the
 * pipe, kills what still stands, unmounts and removes the folders.
 */
const SCRIPT = `
trap '' INT TERM HUP
pids='' folders='' mounts=''
while IFS= read -r line; do
  what=\${line#* }
  case $line in
    'kill '*) pids="$pids $what" ;;
    'spare '*) kept=''; for pid in $pids; do [ "$pid" = "$what" ] || kept="$kept $pid"; done; pids=$kept ;;
    'remove '*) folders="$folders$what
" ;;
    'unmount '*) mounts="$mounts$what
" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
printf '%s' "$mounts" | while IFS= read -r folder; do umount -l -- "$folder" 2>/dev/null; done
printf '%s' "$folders" | while IFS= read -r folder; do rm -rf -- "$folder"; done
`;

let shell: ChildProcess | undefined;
const pids = new Set<number>();
const folders = new Set<string>();
const mounts = new Set<string>();

/** The child is killed when this process ends, unless it has ended before; it does not hold this process up. */
export function reapProcess(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  child.unref();
  pids.add(pid);
  tell(`kill ${pid}`);
  child.once('exit', () => {
    pids.delete(pid);
    tell(`spare ${pid}`);
  });
}

/** The folder is removed when this process ends. */
export function reapFolder(folder: string): void {
  folders.add(folder);
  tell(`remove ${folder}`);
}

/** What is mounted on the folder is taken off when this process ends. */
export function reapMount(folder: string): void {
  mounts.add(folder);
  tell(`unmount ${folder}`);
}

function tell(line: string): void {
  shell ??= startShell();
  shell.stdin?.write(`${line}\n`);
}

function startShell(): ChildProcess {
  // Detached: Ctrl-C on the terminal must not end the shell before it has done its work.
  const child = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  process.once('exit', reapNow);
  return child;
}

/** An orderly end need not wait for the shell. */
function reapNow(): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  for (const folder of mounts) spawnSync('umount', ['-l', folder], { stdio: 'ignore' });
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
