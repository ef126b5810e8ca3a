import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What both etcd servers and workers can be done to. */
export function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Resolves when the process is gone. */
export async function exited(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  await new Promise<void>((resolve) => child.once('exit', () => resolve()));
}

/** SIGKILL, whatever state the process is in; resolves when it is gone. */
export async function killNow(child: ChildProcess): Promise<void> {
  const gone = exited(child);
  if (!hasExited(child)) child.kill('SIGKILL');
  await gone;
}

/** SIGTERM, then SIGKILL when the budget is used up; resolves when it is gone. */
export async function stopSoon(child: ChildProcess, budgetMs = 5_000): Promise<void> {
  if (hasExited(child)) return;
  const gone = exited(child);
  // A frozen process cannot take a SIGTERM.
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), budgetMs);
  await gone;
  clearTimeout(timer);
}

/** SIGSTOP; returns when every thread of the process stands still, which takes the kernel a moment. */
export function freezeNow(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  // Where there is no /proc, that moment is not seen.
  if (!existsSync('/proc/self/task')) return;
  while (!standsStill(pid)) continue;
}

function standsStill(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    // The state follows the name, which may hold spaces and brackets.
    return 'TtZX'.includes(stat.slice(stat.lastIndexOf(')') + 2).charAt(0));
  });
}
