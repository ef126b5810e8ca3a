import type { ChildProcess } from 'node:child_process';

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
