import { hostname } from 'node:os';
import { pollersOf } from '../temporal/pollers.ts';
import { installationConfig } from './installation-config.ts';

const TIMEOUT_MS = 5_000;

export interface Liveness {
  readonly alive: boolean;
  readonly detail: string;
}

/**
 * Whether the API process of this machine or container answers. It asks as a trusted proxy would: plain HTTP over
 * loopback, and `X-Forwarded-Proto` for a production that takes nothing else. Reads PORT and HOST alone, so that a check
 * every few seconds costs little.
 */
export async function isApiAlive(env: NodeJS.ProcessEnv): Promise<Liveness> {
  const host = env.HOST && !['0.0.0.0', '::'].includes(env.HOST) ? env.HOST : '127.0.0.1';
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${env.PORT || 3000}/api/health/live`;
  try {
    const response = await fetch(url, {
      headers: { 'X-Forwarded-Proto': 'https' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 200) return { alive: true, detail: 'The API answers.' };
    if (response.status === 301)
      return { alive: false, detail: `${url} sends to https: TRUSTED_PROXIES has to name loopback for this check.` };
    return { alive: false, detail: `${url} answers ${response.status}.` };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { alive: false, detail: `${url} does not answer (${cause?.code ?? message}).` };
  }
}

/**
 * Whether a worker of this machine or container polls. Where Temporal itself does not answer nothing can be told, and
 * restarting workers would not help: that counts as alive.
 *
 * @throws ConfigError
 */
export async function isWorkerAlive(dataDir: string): Promise<Liveness> {
  const [{ createTemporalClient }, { dataConverter }, { readTls }, { taskQueues }] = await Promise.all([
    import('../temporal/connection.ts'),
    import('../temporal/data-converter.ts'),
    import('../temporal/tls.ts'),
    import('../workflows/contract.ts'),
  ]);
  const config = installationConfig(dataDir);
  const temporal = createTemporalClient({
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    tls: readTls(config.temporalTls),
    identity: 'doctor',
    dataConverter,
  });
  try {
    const queue = taskQueues(config.taskQueuePrefix).decisions;
    const identities = await temporal.client.connection.withDeadline(Date.now() + TIMEOUT_MS, () =>
      pollersOf(temporal.client, queue),
    );
    const here = identities.filter((identity) => identity.endsWith(`@${hostname()}`));
    return here.length > 0
      ? { alive: true, detail: `${here.join(', ')} polls ${queue}.` }
      : { alive: false, detail: `No worker of ${hostname()} polls ${queue}.` };
  } catch (error) {
    return { alive: true, detail: `Temporal does not answer, so nothing can be told (${(error as Error).message}).` };
  } finally {
    await temporal.close();
  }
}
