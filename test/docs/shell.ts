import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface ShellResult {
  code: number;
  /** What was written to both outputs, in order. */
  output: string;
}

/** Runs a script in the repository's folder, as a reader would who pastes it: the first command that fails ends it. */
export async function bash(script: string, env: Record<string, string>): Promise<ShellResult> {
  const shell = start(['-euo', 'pipefail', '-c', script], env);
  const output = gather(shell);
  const [code] = (await once(shell, 'close')) as [number | null];
  return { code: code ?? -1, output: output() };
}

/** One bash that block after block is given to, so that a later one has the variables and functions of an earlier one. */
export function openShell(env: Record<string, string>) {
  const shell = start(['-uo', 'pipefail'], env);
  const output = gather(shell);
  shell.stdin.on('error', () => {});
  let read = 0;
  let n = 0;

  return {
    /** Runs a block; what it writes ends up in the result. A failing command ends the block and the shell with it. */
    async run(block: string): Promise<ShellResult> {
      n += 1;
      const end = new RegExp(`\n--- end of block ${n}\n`);
      // Commands of a block must not read the blocks behind it.
      const script = `set -e\n{\n${block}\n} </dev/null 2>&1\nset +e\nprintf '\\n--- end of block ${n}\\n'\n`;
      shell.stdin.write(script);
      const found = await ended(shell, () => end.exec(output().slice(read)));
      const text = output().slice(read, found === null ? undefined : read + found.index);
      read += text.length + (found?.[0].length ?? 0);
      return { code: found === null ? (shell.exitCode ?? -1) : 0, output: text.replace(/\n$/, '') };
    },
    async close() {
      if (shell.exitCode !== null || shell.signalCode !== null) return;
      const gone = once(shell, 'close');
      shell.stdin.end();
      await gone;
    },
  };
}

export type Shell = ReturnType<typeof openShell>;

/** Runs TypeScript as a module in the repository's folder, from where it may import the repository's files. */
export async function runTypeScript(source: string, env: Record<string, string>): Promise<ShellResult> {
  const node = spawn(process.execPath, ['--input-type=module-typescript', '-'], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  });
  const output = gather(node);
  node.stdin.end(source);
  const [code] = (await once(node, 'close')) as [number | null];
  return { code: code ?? -1, output: output().replace(/\n$/, '') };
}

function start(args: string[], env: Record<string, string>): ChildProcessWithoutNullStreams {
  return spawn('bash', args, { cwd: ROOT, env: { ...process.env, ...env } });
}

function gather(child: ChildProcessWithoutNullStreams): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return () => output;
}

/** Waits until something is found in the output, or the process is gone; then null. */
async function ended<T>(child: ChildProcessWithoutNullStreams, find: () => T | null): Promise<T | null> {
  for (;;) {
    const found = find();
    if (found !== null || child.exitCode !== null || child.signalCode !== null) return found;
    const waiting = new AbortController();
    const heard = (emitter: EventEmitter, event: string) => once(emitter, event, { signal: waiting.signal });
    await Promise.race([heard(child.stdout, 'data'), heard(child, 'close')]);
    waiting.abort();
  }
}
