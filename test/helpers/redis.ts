import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createClient } from '@redis/client';
import { freePort } from '../../platform/ports.ts';
import { eventually } from './eventually.ts';

/**
 * A real Redis (or Valkey) server on a port of this machine, with a password and nothing on disk. `REDIS_SERVER` names
 * another binary than `redis-server` of the path.
 */
export async function startRedis() {
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  const url = `redis://:${password}@127.0.0.1:${port}`;
  let running: ChildProcess | undefined;

  async function start(): Promise<void> {
    const settings = { port, bind: '127.0.0.1', requirepass: password, save: '', appendonly: 'no', dir: '/' };
    const child = spawn(
      process.env.REDIS_SERVER ?? 'redis-server',
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      { stdio: 'ignore' },
    );
    await Promise.race([
      once(child, 'spawn'),
      once(child, 'error').then(([error]) =>
        Promise.reject(new Error('Redis does not start: install redis-server or set REDIS_SERVER', { cause: error })),
      ),
    ]);
    running = child;
    await eventually(() => ask((client) => client.ping()), { what: 'an answer of Redis', timeoutMs: 10_000 });
  }

  async function ask<T>(question: (client: ReturnType<typeof connection>) => Promise<T>): Promise<T> {
    const client = connection();
    client.on('error', () => {});
    await client.connect();
    try {
      return await question(client);
    } finally {
      client.destroy();
    }
  }

  function connection() {
    return createClient({ url, socket: { reconnectStrategy: false } });
  }

  await start();
  return {
    url,
    password,
    start,
    /** Asks over a connection of its own. */
    ask,
    /** It is there, accepts connections and says nothing any more. */
    freeze: () => running?.kill('SIGSTOP'),
    async kill(): Promise<void> {
      const child = running;
      running = undefined;
      if (child === undefined || child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

export type RedisServer = Awaited<ReturnType<typeof startRedis>>;
