import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Endpoints } from '../../platform/endpoints.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
export const ADMIN = { email: 'root@example.test', password: 'correct horse battery staple 9' };

export type Killable = 'api' | 'worker' | 'temporal' | 'postgres';

export interface Instance {
  readonly dataDir: string;
  endpoints(): Endpoints;
  /** SIGKILL to processes, by the ids that the installation itself announces. */
  kill(...roles: Killable[]): void;
  signal(role: Killable | 'supervisor', signal: NodeJS.Signals): void;
  /** Runs SQL as the owner of the tables; waits out a restart of the server. */
  sql<T extends pg.QueryResultRow>(text: string, params?: unknown[]): Promise<T[]>;
  /** Runs a tradeguard command against this instance. */
  cli(...args: string[]): Promise<{ code: number; output: string }>;
  output(): string;
  stop(): Promise<void>;
}

/** A whole installation as `npm start` gives it, in a temporary folder on free ports. */
export async function startInstance(env: Record<string, string> = {}): Promise<Instance> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-instance-'));
  const dataDir = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, ADMIN.password, { mode: 0o600 });
  const child = spawn(
    process.execPath,
    // biome-ignore format: one option a line says nothing more
    [BIN, 'start', '--port', '0', '--data-dir', dataDir, '--admin-email', ADMIN.email, '--admin-password-file', passwordFile],
    { env: { ...process.env, RATE_LIMIT_PER_MINUTE: '1000000', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  await ready(child, () => output);
  const endpointsFile = join(dataDir, 'endpoints.json');
  const endpoints = (): Endpoints => JSON.parse(readFileSync(endpointsFile, 'utf8'));
  const databaseOwner = endpoints().databaseOwner as string;

  const signal = (role: Killable | 'supervisor', name: NodeJS.Signals): void => {
    const pid = endpoints().pids[role];
    if (pid === undefined) throw new Error(`no ${role} runs`);
    process.kill(pid, name);
  };

  return {
    dataDir,
    endpoints,
    signal,
    kill: (...roles) => {
      for (const role of roles) signal(role, 'SIGKILL');
    },
    async sql<T extends pg.QueryResultRow>(text: string, params: unknown[] = []): Promise<T[]> {
      for (let attempt = 0; ; attempt++) {
        const client = new pg.Client({ connectionString: databaseOwner });
        client.on('error', () => {});
        try {
          await client.connect();
          return (await client.query<T>(text, params)).rows;
        } catch (error) {
          const code = (error as { code?: string }).code ?? '';
          if (attempt >= 60 || !/^(ECONN|57P|08)/.test(code)) throw error;
          await sleep(500);
        } finally {
          await client.end().catch(() => {});
        }
      }
    },
    async cli(...args: string[]) {
      const run = spawn(process.execPath, [BIN, ...args, '--data-dir', dataDir], { env: { ...process.env, ...env } });
      let text = '';
      for (const stream of [run.stdout, run.stderr]) {
        stream.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
      }
      const [code] = (await once(run, 'close')) as [number | null];
      return { code: code ?? -1, output: text };
    },
    output: () => output,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      // Started by root, the database lies where its unprivileged user can reach it.
      const { directory } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as { directory: string };
      for (const path of [folder, directory]) rmSync(path, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess, output: () => string): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!output().includes('Ready.')) {
    if (child.exitCode !== null) throw new Error(`the start ended with ${child.exitCode}:\n${output()}`);
    if (Date.now() > deadline) {
      child.kill('SIGTERM');
      throw new Error(`not ready after two minutes:\n${output()}`);
    }
    await sleep(100);
  }
}
