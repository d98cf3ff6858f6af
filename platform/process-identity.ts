import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process named so that a later process with the same number is not mistaken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal only for the same process. */
  readonly startTime: string;
}

const LINUX = process.platform === 'linux';

/**
 * When the process with this number began, as an opaque text; undefined when none is running. On Linux ticks since boot
 * (proc(5), field 22 of `stat`) with the boot's id, elsewhere what `ps` says. A zombie counts as gone.
 */
export function startTimeOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    return LINUX ? linuxStartTime(pid) : psStartTime(pid);
  } catch {
    return undefined;
  }
}

function linuxStartTime(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command name sits in parentheses and may itself hold spaces and parentheses: count from the last one.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = rest[18];
  if (state === 'Z' || state === 'X' || ticks === undefined) return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}:${ticks}`;
}

function psStartTime(pid: number): string | undefined {
  const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
}

/** The command line of a running process; empty when there is none or it cannot be read. */
export function commandLineOf(pid: number): string {
  try {
    if (LINUX) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** The identity of a running process; undefined when there is none. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return startTimeOf(pid) === startTime;
}

/** Waits until the process is gone. @returns false when it still runs after `timeoutMs`. */
export async function waitUntilGone(who: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isRunning(who)) {
    if (Date.now() >= deadline) return false;
    await sleep(50);
  }
  return true;
}

/**
 * Ends exactly this process: `signal` first, SIGKILL when it outlives `graceMs`. A process that is gone, or whose number
 * now belongs to another, is left alone.
 */
export async function endProcess(who: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  for (const [what, timeoutMs] of [
    [signal, graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isRunning(who)) return;
    try {
      process.kill(who.pid, what);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    if (await waitUntilGone(who, timeoutMs)) return;
  }
  throw new Error(`Process ${who.pid} does not end, not even by SIGKILL.`);
}
