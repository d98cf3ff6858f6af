import type { Config } from '../platform/config.ts';
import { createTemporalClient, type TemporalClient } from '../temporal/connection.ts';
import { dataConverter } from '../temporal/data-converter.ts';
import { pollersOf } from '../temporal/pollers.ts';
import { readTls } from '../temporal/tls.ts';
import { scheduleIds } from '../workers/schedules.ts';
import { taskQueues } from '../workflows/contract.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import { attempt, type Finding, fail, finding, type Outcome, ok, warn } from './doctor-finding.ts';

const TIMEOUT_MS = 5_000;
/** Closed workflows are the record of what was decided. */
const WANTED_RETENTION_DAYS = 30;
/** A waiting review, its timers and a day of reading after it. */
const NEEDED_RETENTION_DAYS = 3;
const DAY_SECONDS = 86_400;
const START = 'Start the Temporal server, and check TEMPORAL_ADDRESS, TEMPORAL_TLS and the network.';

/** The checks of the Temporal server, its namespace and the workers that poll it. */
export async function examineTemporal(config: Config, production: boolean): Promise<Finding[]> {
  const temporal = createTemporalClient({
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    tls: readTls(config.temporalTls),
    identity: 'doctor',
    dataConverter,
  });
  const within = <T>(work: () => Promise<T>): Promise<T> =>
    temporal.client.connection.withDeadline(Date.now() + TIMEOUT_MS, work);
  try {
    const answers = await attempt(() => within(() => serverOf(temporal, config, production)), START);
    const findings = [finding('temporal', 'before', 'Temporal answers', answers)];
    if (answers.state === 'fail' && answers.advice === START) return findings;
    const check = async (id: string, phase: 'before' | 'at' | 'after', title: string, work: () => Promise<Outcome>) =>
      findings.push(finding(id, phase, title, await attempt(() => within(work), START)));
    await check('temporal-retention', 'before', 'Closed workflows stay readable', () => retentionOf(temporal, config));
    await check('search-attributes', 'at', 'Operators can search workflows', () => attributesOf(temporal, config));
    await check('workers', 'at', 'Workers poll both task queues', () => workersOf(temporal, config));
    await check('schedules', 'after', 'What runs by the clock is scheduled', () => schedulesOf(temporal, config));
    return findings;
  } finally {
    await temporal.close();
  }
}

async function serverOf({ client }: TemporalClient, config: Config, production: boolean): Promise<Outcome> {
  const { serverVersion, persistenceStore } = await client.workflowService.getClusterInfo({});
  const detail = `Temporal ${serverVersion} on ${persistenceStore}, namespace ${config.temporalNamespace}`;
  if (production && persistenceStore === 'sqlite')
    return fail(`${detail}: the development server`, 'Run a Temporal server on PostgreSQL: see docker-compose.yaml.');
  const host = config.temporalAddress.replace(/:\d+$/, '');
  if (production && config.temporalTls === undefined && !/^(127\.|\[::1\]|localhost$)/.test(host))
    return warn(`${detail}, without TLS`, 'Set TEMPORAL_TLS=1, or make sure that the network is private.');
  return ok(detail);
}

async function retentionOf({ client }: TemporalClient, { temporalNamespace: namespace }: Config): Promise<Outcome> {
  const { config } = await client.workflowService.describeNamespace({ namespace });
  const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / DAY_SECONDS;
  const detail = `${Math.round(days * 10) / 10} days`;
  const advice = `temporal operator namespace update --namespace ${namespace} --retention ${WANTED_RETENTION_DAYS * 24}h`;
  if (days < NEEDED_RETENTION_DAYS) return fail(detail, advice);
  return days < WANTED_RETENTION_DAYS ? warn(detail, advice) : ok(detail);
}

async function attributesOf({ client }: TemporalClient, { temporalNamespace: namespace }: Config): Promise<Outcome> {
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  const names = Object.values(searchAttributes).map(({ name }) => name);
  const missing = names.filter((name) => !Object.hasOwn(customAttributes ?? {}, name));
  if (missing.length === 0) return ok(names.join(', '));
  return fail(`Missing: ${missing.join(', ')}`, 'Start a worker: it registers them, or its log says why it may not.');
}

async function workersOf(temporal: TemporalClient, config: Config): Promise<Outcome> {
  const queues = taskQueues(config.taskQueuePrefix);
  const [decisions, background] = await Promise.all([
    pollersOf(temporal.client, queues.decisions),
    pollersOf(temporal.client, queues.background),
  ]);
  const fewest = Math.min(decisions.length, background.length);
  const detail = `${decisions.length} on ${queues.decisions}, ${background.length} on ${queues.background}`;
  if (fewest === 0) return fail(detail, 'Start a worker: `tradeguard worker`. Until then every decision waits.');
  return fewest === 1 ? warn(detail, 'Run two or more workers, on different machines.') : ok(detail);
}

async function schedulesOf({ client }: TemporalClient, config: Config): Promise<Outcome> {
  const wanted = scheduleIds({ prefix: config.taskQueuePrefix, queues: taskQueues(config.taskQueuePrefix) });
  const found = new Map<string, boolean>();
  for await (const { scheduleId, state } of client.schedule.list()) found.set(scheduleId, state?.paused === true);
  const missing = wanted.filter((id) => !found.has(id));
  const paused = wanted.filter((id) => found.get(id));
  if (missing.length > 0)
    return fail(`Missing: ${missing.join(', ')}`, 'Start a worker: it makes them, or its log says why it may not.');
  if (paused.length > 0)
    return warn(`Paused: ${paused.join(', ')}`, 'Unpause them in the Temporal UI when the reason is over.');
  return ok(`${wanted.length} schedules`);
}
