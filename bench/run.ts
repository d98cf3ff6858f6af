import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { hash } from '@node-rs/argon2';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { type ApiClient, createApiClient } from '../cli/api-client.ts';
import { type OwnInstance, startOwnInstance } from '../cli/own-instance.ts';
import { table } from '../cli/replay-report.ts';
import { ARGON2_PARAMETERS, createPasswordHasher } from '../security/passwords.ts';
import { createTemporalClient, type TemporalClient } from '../temporal/connection.ts';
import { taskQueues } from '../workflows/contract.ts';
import { type Customer, makeCustomers, PASSWORD, signIn, storePasswordHash, withdraw } from './customers.ts';
import { helloVerdict } from './hello-workflow.ts';
import { noSamples, type Operation, runLoad, type Samples, summarise } from './load.ts';
import { cpuMs, rssMb } from './processes.ts';
import { medianSegments, now, type Segments, type TimedCall } from './segments.ts';

/** How it is measured, and why so, is in bench/README.md. */
const CONCURRENCY = [1, 8, 32] as const;
const ROUNDS = 2;
const ROUND_MS = 5_000;
const WARM_UP_MS = 3_000;
const CUSTOMERS = 200;
const SEGMENT_SAMPLES = 40;
const HELLO_PREFIX = 'bench-hello';

const KINDS = ['hello', 'transaction', 'login'] as const;
type Kind = (typeof KINDS)[number];

const say = (line: string): void => console.log(line);

/** The calls that are measured; each throws unless it had the answer of the happy path. */
interface Operations extends Record<Kind, () => Promise<string>> {}

function operations(api: ApiClient, temporal: TemporalClient, customers: readonly Customer[]): Operations {
  let counter = 0;
  // In turn, so that no customer is asked for twice at once: this measures the machinery, not one account's lock.
  const next = (): Customer => {
    counter += 1;
    const customer = customers[counter % customers.length];
    if (customer === undefined) throw new Error('there are no customers');
    return customer;
  };
  const run = Date.now().toString(36);
  return {
    hello: async () => {
      counter += 1;
      const workflowId = `hello:${run}:${counter}`;
      await temporal.client.workflow.executeUpdateWithStart(helloVerdict, {
        updateId: 'verdict',
        startWorkflowOperation: new WithStartWorkflowOperation('hello', {
          workflowId,
          taskQueue: taskQueues(HELLO_PREFIX).decisions,
          args: ['world'],
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      });
      return workflowId;
    },
    transaction: async () => `transaction:${await withdraw(api, next(), `${run}-${counter}`)}`,
    login: async () => `login:${(await signIn(api, next())).loginId}`,
  };
}

/** Kinds take turns within a concurrency, so that a machine that gets slower slows all of them. */
async function measure(concurrency: number, calls: Operations): Promise<Record<Kind, Samples>> {
  const samples = { hello: noSamples(), transaction: noSamples(), login: noSamples() };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of KINDS) await runLoad(concurrency, ROUND_MS, calls[kind], samples[kind]);
  }
  return samples;
}

function latencyTable(results: ReadonlyMap<number, Record<Kind, Samples>>): string {
  const lines: string[][] = [];
  for (const [concurrency, samples] of results) {
    const bare = summarise(samples.hello);
    for (const kind of KINDS) {
      const result = summarise(samples[kind]);
      lines.push([
        `${concurrency}  ${kind}`,
        String(result.count),
        result.p50.toFixed(1),
        result.p99.toFixed(1),
        result.perSecond.toFixed(1),
        `${(result.p50 / bare.p50).toFixed(2)} x`,
        `${(result.perSecond / bare.perSecond).toFixed(2)} x`,
      ]);
    }
  }
  return table(['callers, call', 'calls', 'p50 ms', 'p99 ms', 'per s', 'p50 ratio', 'per s ratio'], lines);
}

async function segmentsOf(call: () => Promise<string>, temporal: TemporalClient): Promise<Segments> {
  const timed: TimedCall[] = [];
  for (let n = 0; n < SEGMENT_SAMPLES; n += 1) {
    const sentAt = now();
    const workflowId = await call();
    timed.push({ workflowId, sentAt, answeredAt: now() });
  }
  return medianSegments(temporal.client, timed);
}

async function segmentTable(calls: Operations, temporal: TemporalClient): Promise<string> {
  const found: Segments[] = [];
  for (const kind of KINDS) found.push(await segmentsOf(calls[kind], temporal));
  const line = (label: string, key: keyof Segments) => [label, ...found.map((segments) => segments[key].toFixed(1))];
  return table(
    ['median ms of one call', ...KINDS],
    [
      line('sent -> workflow stored (HTTP, session, look-ups; Temporal)', 'toStart'),
      line('-> task at a worker (Temporal)', 'dispatch'),
      line('-> result stored (workflow, database transaction; Temporal)', 'worker'),
      line('-> answer received (Temporal, HTTP)', 'back'),
    ],
  );
}

/** Processor time per call while `concurrency` callers keep the machine busy. */
async function cpuTable(instance: OwnInstance, helloPid: number, calls: Operations): Promise<string> {
  const { api, worker, temporal, postgres } = instance.endpoints.pids;
  const groups = Object.entries({ api, worker, temporal, postgres, 'bare worker': helloPid, caller: process.pid })
    .filter((entry): entry is [string, number] => entry[1] !== undefined)
    // The caller's group would hold everything it started.
    .map(([name, pid]) => ({ name, pid }));
  const perKind: Record<string, number[]> = {};
  for (const kind of KINDS) {
    const before = groups.map(cpuMs);
    const callerBefore = process.cpuUsage();
    const samples = noSamples();
    await runLoad(8, ROUND_MS, calls[kind], samples);
    const caller = process.cpuUsage(callerBefore);
    const after = groups.map(cpuMs);
    perKind[kind] = groups.map(({ name }, index) => {
      const used =
        name === 'caller' ? (caller.user + caller.system) / 1000 : (after[index] ?? 0) - (before[index] ?? 0);
      return used / samples.latencies.length;
    });
  }
  return table(
    ['processor ms a call', ...KINDS],
    groups.map(({ name }, index) => [name, ...KINDS.map((kind) => (perKind[kind]?.[index] ?? 0).toFixed(1))]),
  );
}

async function startHelloWorker(address: string) {
  const child = fork(new URL('./hello-worker.ts', import.meta.url), [address, HELLO_PREFIX]);
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the worker of the bare workflow ended'))),
  ]);
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function bench(instance: OwnInstance): Promise<void> {
  const { endpoints } = instance;
  const api = createApiClient(endpoints.api);
  const temporal = createTemporalClient({
    address: endpoints.temporal,
    namespace: 'default',
    tls: undefined,
    identity: 'bench',
  });
  const hello = await startHelloWorker(endpoints.temporal);
  try {
    say(`${CUSTOMERS} customers register, sign in and pay in ...`);
    const customers = await makeCustomers(api, CUSTOMERS);
    const calls = operations(api, temporal, customers);
    const owner = endpoints.databaseOwner;
    if (owner === undefined) throw new Error('the instance told no databaseOwner');
    const full = await createPasswordHasher().hash(PASSWORD);
    const cheap = await hash(PASSWORD, { ...ARGON2_PARAMETERS, algorithm: 2, memoryCost: 8, timeCost: 1 });
    await storePasswordHash(owner, cheap);

    say('Warm-up ...');
    for (const kind of KINDS) await runLoad(8, WARM_UP_MS, calls[kind], noSamples());
    const results = new Map<number, Record<Kind, Samples>>();
    for (const concurrency of CONCURRENCY) {
      say(`${concurrency} caller(s) ...`);
      results.set(concurrency, await measure(concurrency, calls));
    }
    say(`\n${latencyTable(results)}`);
    say(`\n${await segmentTable(calls, temporal)}`);
    say(`\n${await cpuTable(instance, hello.pid, calls)}`);

    await storePasswordHash(owner, full);
    say(`\n${await withArgon2(calls.login, full)}`);
    const apiMb = rssMb(endpoints.pids.api ?? 0);
    const workerMb = rssMb(endpoints.pids.worker ?? 0);
    say(`\nRSS: API ${apiMb.toFixed(0)} MB + worker ${workerMb.toFixed(0)} MB = ${(apiMb + workerMb).toFixed(0)} MB`);
  } finally {
    await hello.stop();
    api.close();
    await temporal.close();
  }
}

/** The login as it is, and argon2 alone, measured apart. */
async function withArgon2(login: Operation, stored: string): Promise<string> {
  const hasher = createPasswordHasher();
  const lines: string[][] = [];
  for (const concurrency of CONCURRENCY) {
    const whole = noSamples();
    await runLoad(concurrency, ROUND_MS, login, whole);
    const alone = noSamples();
    await runLoad(concurrency, 2_000, () => hasher.verify(stored, PASSWORD), alone);
    for (const [label, samples] of [
      ['login with argon2', whole],
      ['argon2 alone', alone],
    ] as const) {
      const { count, p50, p99, perSecond } = summarise(samples);
      lines.push([`${concurrency}  ${label}`, String(count), p50.toFixed(1), p99.toFixed(1), perSecond.toFixed(1)]);
    }
  }
  return table(['callers, call', 'calls', 'p50 ms', 'p99 ms', 'per s'], lines);
}

const startedAt = performance.now();
say(
  `${new Date().toISOString()}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`,
);
say('Starting an instance in a temporary folder ...');
const instance = await startOwnInstance({ env: { LOG_LEVEL: 'info', RATE_LIMIT_PER_MINUTE: '1000000' } });
const stop = () => instance.stop();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop().finally(() => process.exit(130)));
try {
  await bench(instance);
} finally {
  await stop();
}
say(`\nThe whole run took ${Math.round((performance.now() - startedAt) / 1000)} s.`);
