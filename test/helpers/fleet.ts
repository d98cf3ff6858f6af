import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { deleteSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { createHttpClient, type HttpClient } from './http.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.js', import.meta.url));
export const PUBLIC_ORIGIN = 'https://trade.example.com';

export interface Member {
  readonly name: string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Everything it has logged. */
  output(): string;
}

export interface ApiMember extends Member {
  readonly url: string;
  /** Speaks as the proxy that ends TLS does. */
  readonly api: HttpClient;
}

/**
 * The topology of docker-compose.yaml as processes of this machine: the same commands, `NODE_ENV=production`, every secret
 * in a file, one PostgreSQL and one Temporal server that already run. `env` is what differs from that.
 */
export async function createFleet(wanted: {
  apis: number;
  workers: number;
  env?: (database: TestDatabase) => Record<string, string>;
}) {
  const { apis, workers } = wanted;
  const { temporalAddress, folder } = inject('servers');
  const database = await createDatabase();
  const own = join(folder, `${database.name}-fleet`);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const secrets = {
    DATABASE_URL: database.url,
    SESSION_SECRET: randomBytes(48).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
  };
  const plain = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PUBLIC_ORIGIN,
    TRUSTED_PROXIES: 'loopback',
    TEMPORAL_ADDRESS: temporalAddress,
    TASK_QUEUE_PREFIX: database.name,
    DATA_DIR: join(own, 'data'),
    MAIL_DIR: join(own, 'mail'),
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: 'info',
    ...wanted.env?.(database),
  };
  const files = Object.entries(secrets).map(([name, value]) => {
    const path = join(own, name.toLowerCase());
    writeFileSync(path, `${value}\n`, { mode: 0o400 });
    return [`${name}_FILE`, path];
  });
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...plain, ...Object.fromEntries(files) };
  const children: ChildProcess[] = [];

  function launch(command: string, port?: number) {
    const child = spawn(process.execPath, [BIN, command], {
      env: { ...env, ...(port === undefined ? {} : { PORT: String(port) }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { child, output: () => output };
  }

  async function startApi(n: number): Promise<ApiMember> {
    const { child, output } = launch('api', 0);
    const url = await said(child, output, /"url":"(http:[^"]+)"/);
    const api = behindProxy(createHttpClient(() => url));
    // It listens before the keys are open, and until then every call that needs them is refused.
    await eventually(async () => (await api.get('/api/health')).body.components.database.status === 'up', {
      what: 'open keys',
    });
    return { name: `api ${n}`, url, api, kill: () => kill(child), output };
  }

  async function startWorker(n: number): Promise<Member> {
    const { child, output } = launch('worker');
    await said(child, output, /"msg":"(polling)"/);
    return { name: `worker ${n}`, kill: () => kill(child), output };
  }

  const stop = async (): Promise<void> => {
    await Promise.all(children.map(kill));
    const temporal = createTemporalClient({
      address: temporalAddress,
      namespace: 'default',
      tls: undefined,
      identity: 'test',
      dataConverter,
    });
    // Their workflows by the clock would outlive the test on the run's server.
    const settings = { prefix: database.name, queues: taskQueues(database.name) };
    await deleteSchedules(temporal.client, settings).catch(() => {});
    await temporal.close();
    await database.close();
  };
  try {
    // One after the other: the machine of a test has few cores.
    const running = { apis: [] as ApiMember[], workers: [] as Member[] };
    for (let n = 1; n <= workers; n++) running.workers.push(await startWorker(n));
    for (let n = 1; n <= apis; n++) running.apis.push(await startApi(n));
    return {
      ...running,
      database,
      /** What the processes read, secrets in the clear, for what a test looks up itself. */
      env: { ...plain, ...secrets },
      /** As the processes get it: secrets by file. */
      processEnv: env,
      /** One more of each, for instance in the place of one that was killed. */
      startApi,
      startWorker,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export type Fleet = Awaited<ReturnType<typeof createFleet>>;

function behindProxy(client: HttpClient): HttpClient {
  const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '198.18.0.7' };
  const withHeaders = <O extends { headers?: Record<string, string> }>(options: O | undefined) => ({
    ...options,
    headers: { ...forwarded, ...options?.headers },
  });
  return {
    get: (path, options) => client.get(path, withHeaders(options)),
    post: (path, body, options) => client.post(path, body, withHeaders(options)),
    put: (path, body, options) => client.put(path, body, withHeaders(options)),
    patch: (path, body, options) => client.patch(path, body, withHeaders(options)),
    delete: (path, options) => client.delete(path, withHeaders(options)),
  };
}

/** Waits for what a process prints. @throws as soon as it has ended, with its words */
async function said(child: ChildProcess, output: () => string, pattern: RegExp): Promise<string> {
  const found = await eventually(() => (child.exitCode === null ? pattern.exec(output())?.[1] : 'ended'), {
    what: String(pattern),
    timeoutMs: 60_000,
  });
  if (found === 'ended') throw new Error(`the process ended with ${child.exitCode}:\n${output()}`);
  return found;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
