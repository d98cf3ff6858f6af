import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { deleteSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

const secret = randomBytes(32).toString('base64');
let database: TestDatabase;
let environment: Record<string, string>;

beforeAll(async () => {
  database = await createDatabase();
  environment = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('servers').temporalAddress,
    TASK_QUEUE_PREFIX: database.name,
    SESSION_SECRET: secret,
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: `${inject('servers').folder}/${database.name}`,
  };
});
afterAll(async () => {
  const temporal = createTemporalClient({
    address: inject('servers').temporalAddress,
    namespace: 'default',
    tls: undefined,
    identity: 'test',
    dataConverter,
  });
  await deleteSchedules(temporal.client, { prefix: database.name, queues: taskQueues(database.name) });
  await temporal.close();
  await database.close();
});

function start(module: 'api' | 'workers', changes: Record<string, string> = {}) {
  const file = fileURLToPath(new URL(`../../${module}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [file], {
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, output: () => output };
}

/** The message `ready`; an error with the output when the process ends instead. */
async function readyOf({ child, output }: ReturnType<typeof start>): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`it ended with code ${code}: ${output()}`);
    }),
  ]);
  return message;
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, 'exit');
  return code as number | null;
}

describe.each(['api', 'workers'] as const)('%s/main.ts', (module) => {
  test('says when it is ready, ends in order on SIGTERM, and logs no secret', async () => {
    const started = start(module);
    const { child, output } = started;
    const message = await readyOf(started);
    expect(message).toMatchObject({ type: 'ready' });
    if (module === 'api') {
      const { url } = message as { url: string };
      expect((await fetch(`${url}/api/health/live`)).status).toBe(200);
    }
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(output()).not.toContain(secret);
    expect(output()).not.toContain(environment.ENCRYPTION_KEY);
    expect(output()).not.toContain(new URL(database.url).password);
  });

  test('with a configuration that cannot work it ends with code 1 and says what to set', async () => {
    const { child, output } = start(module, { SESSION_SECRET: '', PORT: 'abc' });
    expect(await exitOf(child)).toBe(1);
    expect(output()).toContain('SESSION_SECRET is not set');
    expect(output()).toContain('PORT: ');
  });

  test('with another key than the one that wrapped the stored keys it ends with code 1', async () => {
    const { child, output } = start(module, { SESSION_SECRET: randomBytes(32).toString('base64') });
    expect(await exitOf(child)).toBe(1);
    expect(output()).toContain('wrong secret or altered record');
  });
});
