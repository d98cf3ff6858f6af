import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { UnprivilegedUser } from './unprivileged-user.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that this one started. */
export interface RunningProcess {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
  /** Ends it in its own orderly way and resolves when it is gone; a second call waits for the same end. */
  stop(): Promise<void>;
}

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File that stdout and stderr are appended to. */
  readonly log: string;
  readonly user?: UnprivilegedUser | undefined;
  /** How it is asked to end, and after how many milliseconds it is killed. */
  readonly stopSignal: NodeJS.Signals;
  readonly stopTimeout: number;
  /** Opens an IPC channel (`child_process.fork`), for Node processes of this project. */
  readonly ipc?: boolean;
}

/**
 * Starts a process in a session of its own, so that Ctrl-C in the terminal reaches only this process, which ends the
 * others in order. @throws when the command cannot be executed.
 */
export async function launch(options: LaunchOptions): Promise<{ child: ChildProcess; running: RunningProcess }> {
  const out = openSync(options.log, 'a', 0o600);
  const ids = options.user ? { uid: options.user.uid, gid: options.user.gid } : {};
  const child = spawn(options.command, options.args, {
    ...ids,
    cwd: options.ipc ? process.cwd() : '/',
    env: options.env,
    detached: true,
    stdio: options.ipc ? ['ignore', out, out, 'ipc'] : ['ignore', out, out],
  });
  closeSync(out);
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => {}); // A signal that cannot be sent shows as a process that does not exit.
  return { child, running: { pid: child.pid as number, exited, stop: createStop(child, exited, options) } };
}

function createStop(child: ChildProcess, exited: Promise<Exit>, options: LaunchOptions): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => {
    stopped ??= (async () => {
      child.kill(options.stopSignal);
      const timer = setTimeout(() => child.kill('SIGKILL'), options.stopTimeout);
      await exited;
      clearTimeout(timer);
    })();
    return stopped;
  };
}
