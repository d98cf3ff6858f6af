import { fork } from 'node:child_process';
import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { createApiClient } from '../cli/api-client.ts';
import { type OwnInstance, startOwnInstance } from '../cli/own-instance.ts';
import { table } from '../cli/replay-report.ts';
import { loadOrCreateSecrets } from '../platform/secrets.ts';
import { ARGON2_PARAMETERS, createPasswordHasher } from '../security/passwords.ts';
import { createTemporalClient } from '../temporal/connection.ts';
import { dataConverter } from '../temporal/data-converter.ts';
import { hash, REMEMBERED_MEMORY_COST } from './argon2-memory.ts';
import { auditTable } from './audit.ts';
import { auditSearchTable } from './audit-search.ts';
import { backtestTable } from './backtest.ts';
import { cryptoTable } from './crypto.ts';
import { makeCustomers, PASSWORD, storePasswordHash } from './customers.ts';
import { dashboardTable } from './dashboard.ts';
import { historyTable } from './history.ts';
import { noSamples, type Operation, runLoad, type Samples, summarise } from './load.ts';
import { HELLO_PREFIX, KINDS, type Kind, type Operations, operations } from './operations.ts';
import { rssMb } from './processes.ts';
import { signatureTable } from './signatures.ts';
import { cpuTable, latencyTable, segmentTable } from './tables.ts';
import { webTable } from './web.ts';

/** How it is measured, and why so, is in bench/README.md. */
const CONCURRENCY = [1, 8, 32] as const;
const ROUNDS = 2;
const ROUND_MS = 5_000;
const WARM_UP_MS = 3_000;
const CUSTOMERS = 200;
/** The library declares its algorithms as a const enum, which type stripping cannot import. */
const ARGON2ID = 2;

const say = (line: string): void => console.log(line);

/** Kinds take turns within a concurrency, so that a machine that gets slower slows all of them. */
async function measure(concurrency: number, calls: Operations): Promise<Record<Kind, Samples>> {
  const samples = { hello: noSamples(), transaction: noSamples(), login: noSamples() };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of KINDS) await runLoad(concurrency, ROUND_MS, calls[kind], samples[kind]);
  }
  return samples;
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

/** Parts that work on the instance's database beside its processes. */
const BESIDE = { audit: auditTable, signatures: signatureTable } as const;

async function benchBeside({ endpoints, dataDir }: OwnInstance, part: keyof typeof BESIDE): Promise<void> {
  if (endpoints.databaseOwner === undefined) throw new Error('the instance told no databaseOwner');
  say(`${part} ...`);
  const auditKey = createSecretKey(Buffer.from(loadOrCreateSecrets(dataDir).AUDIT_KEY, 'base64'));
  say(`\n${await BESIDE[part]({ ownerUrl: endpoints.databaseOwner, auditKey, entries })}`);
}

async function bench(instance: OwnInstance): Promise<void> {
  const { endpoints } = instance;
  const api = createApiClient(endpoints.api);
  const temporal = createTemporalClient({
    address: endpoints.temporal,
    namespace: 'default',
    tls: undefined,
    identity: 'bench',
    dataConverter,
  });
  const hello = await startHelloWorker(endpoints.temporal);
  try {
    say(`${CUSTOMERS} customers register, sign in, get a signing key and pay in ...`);
    const customers = await makeCustomers(api, CUSTOMERS, join(instance.dataDir, 'mail'));
    const calls = operations(api, temporal, customers);
    const owner = endpoints.databaseOwner;
    if (owner === undefined) throw new Error('the instance told no databaseOwner');
    const full = await createPasswordHasher().hash(PASSWORD);
    const remembered = await hash(PASSWORD, {
      ...ARGON2_PARAMETERS,
      algorithm: ARGON2ID,
      memoryCost: REMEMBERED_MEMORY_COST,
    });
    await storePasswordHash(owner, remembered);

    say('Warm-up ...');
    for (const kind of KINDS) await runLoad(8, WARM_UP_MS, calls[kind], noSamples());
    const results = new Map<number, Record<Kind, Samples>>();
    for (const concurrency of CONCURRENCY) {
      say(`${concurrency} caller(s) ...`);
      results.set(concurrency, await measure(concurrency, calls));
    }
    say(`\n${latencyTable(results)}`);
    say(`\n${await segmentTable(calls, temporal)}`);
    const groups = Object.entries({ ...endpoints.pids, 'bare worker': hello.pid })
      .filter(([name]) => name !== 'supervisor')
      .map(([name, pid]) => ({ name, pid }));
    say(`\n${await cpuTable(groups, calls)}`);

    await storePasswordHash(owner, full);
    say(`\n${await withArgon2(calls.login, full)}`);
    await benchBeside(instance, 'signatures');
    await benchBeside(instance, 'audit');
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
const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 1e9)} GB`;
say(`${new Date().toISOString()}, Node ${process.version}, ${machine}`);
say(
  `Load of the machine before: ${loadavg()[0]?.toFixed(1)} (anything above 0.5 is somebody else's work and slows this)`,
);
const part = process.argv[2];
/** `npm run bench -- audit 1000000` */
const entries = process.argv[3] === undefined ? undefined : Number(process.argv[3]);
if (part === undefined || part === 'crypto') say(`\n${await cryptoTable()}\n`);
if (part === 'history') await historyTable(say);
if (part === 'audit-search') await auditSearchTable(say);
if (part === 'dashboard') say(`\n${await dashboardTable(say)}`);
if (part === 'backtest' || part === undefined) say(`\n${await backtestTable()}\n`);
if (['crypto', 'history', 'audit-search', 'dashboard', 'backtest'].includes(part ?? '')) process.exit(0);
say('Starting an instance in a temporary folder ...');
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
const instance = await startOwnInstance({
  env: {
    LOG_LEVEL: 'info',
    RATE_LIMIT_PER_MINUTE: '1000000',
    NODE_OPTIONS: `--import=${new URL('./argon2-once.ts', import.meta.url).href}`,
  },
  signal: interrupted.signal,
});
try {
  if (part === 'web') say(`\n${await webTable({ url: instance.endpoints.api, admin: instance.admin })}`);
  else await (part === 'audit' || part === 'signatures' ? benchBeside(instance, part) : bench(instance));
} finally {
  await instance.stop();
}
say(`\nThe whole run took ${Math.round((performance.now() - startedAt) / 1000)} s.`);
