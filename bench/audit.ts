import { type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { table } from '../cli/replay-report.ts';
import { type AuditEvent, createAuditLog } from '../db/audit.ts';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { type AttemptFacts, lockedAttemptEvent, recordLockedAttempt } from '../db/login-subject.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { oneRow, run, type Tx } from '../db/sql.ts';
import { uuidV7 } from '../security/uuid.ts';
import { hashLog } from './audit-hash.ts';
import { median } from './slices.ts';

const CALLERS = 8;
const ROUNDS = 15;
const CALLS = 1_500;
/** Accounts that somebody tries to get into. */
const SUBJECTS = 1_000;
/** Of each kind, before: an instance that has just started still compiles what it runs. */
const WARM_UP_ROUNDS = 6;
/** Entries that verification is measured over at least, unless told otherwise. */
const ENTRIES = 100_000;
const BATCH = 500;
const VERIFY_ROUNDS = 5;
const SEALED_WITHIN_MS = 60_000;
/** What is offered to the sealer: more than the target, in transactions that callers with several entries have. */
const OFFERED = { perSecond: 5_500, entries: 55, seconds: 10 };

/**
 * What an audit entry costs a transaction that inserts a row anyway, how far the sealer is behind under load, and what
 * verification costs beside hashing the same bytes read from PostgreSQL. The instance's own worker seals meanwhile, as in
 * production.
 *
 * @param entries how many verification is measured over at least
 */
export async function auditTable(given: {
  ownerUrl: string;
  auditKey: KeyObject;
  entries?: number | undefined;
}): Promise<string> {
  const db = await createOrm({ databaseUrl: given.ownerUrl, poolMax: CALLERS + 2, applicationName: 'bench' });
  try {
    await run(db.fork(), 'create table if not exists bench_row (id uuid primary key, body text not null)');
    const appends = await appendTimes(db, given.auditKey);
    await sealed(db);
    const lag = await sealLag(db);
    const load = await sealingUnderLoad(db, given.auditKey);
    const { lines, note } = await verifyTimes(db, given.auditKey, given.entries ?? ENTRIES);
    const ratios = table(['audit', 'bare per s', 'ours per s', 'ratio'], [...appends, ...lines]);
    return [ratios, lag, load, note].join('\n\n');
  } finally {
    await run(db.fork(), 'drop table if exists bench_row').catch(() => {});
    await db.close();
  }
}

const line = (name: string, bare: number, ours: number): string[] => [
  name,
  bare.toFixed(0),
  ours.toFixed(0),
  `${(ours / bare).toFixed(2)} x`,
];

/** The smallest insert that there is, and one of the product's own with the entry that it comes with. */
async function appendTimes(db: Database, auditKey: KeyObject): Promise<string[][]> {
  const audit = createAuditLog({ auditKey });
  const smallest = () => {
    const id = randomUUID();
    const insert = (tx: Tx) => run(tx, 'insert into bench_row (id, body) values ($1, $2)', [id, 'x'.repeat(200)]);
    return { insert, entry: () => event('bench.appended', id) };
  };
  const subjects = await lockedSubjects(db);
  let next = 0;
  const login = () => {
    const facts = attempt(subjects[next++ % subjects.length] as Buffer);
    return { insert: (tx: Tx) => recordLockedAttempt(tx, facts), entry: () => lockedAttemptEvent(facts) };
  };
  const lines: string[][] = [];
  for (const [name, made] of Object.entries({ 'a row of two columns': smallest, 'a sign-in while locked': login })) {
    const bare = () => db.transaction<unknown>(made().insert);
    const ours = () =>
      db.transaction(async (tx) => {
        const { insert, entry } = made();
        await insert(tx);
        await audit.append(tx, entry());
      });
    const rates = { bare: [] as number[], ours: [] as number[] };
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      const [without, withEntry] = [await perSecond(bare), await perSecond(ours)];
      if (round < 0) continue;
      rates.bare.push(without);
      rates.ours.push(withEntry);
    }
    lines.push(line(`${name} in a transaction, with an entry`, median(rates.bare), median(rates.ours)));
  }
  return lines;
}

/** What attempts are counted under; many, as callers are. */
async function lockedSubjects(db: Database): Promise<Buffer[]> {
  const subjects = Array.from({ length: SUBJECTS }, () => randomBytes(32));
  await run(db.fork(), 'insert into login_subject (subject) select unnest($1::bytea[])', [subjects]);
  return subjects;
}

/** As the API records it: see api/login-attempt.ts. */
function attempt(subject: Buffer): AttemptFacts {
  return {
    loginId: uuidV7(),
    attemptId: uuidV7(),
    subject,
    userId: null,
    channel: 'bearer',
    device: { browser: 'Firefox 140', os: 'Linux', language: 'en', timezone: 'UTC' },
    deviceSignature: randomBytes(32),
    deviceCookieHashes: [],
    ip: '192.0.2.17',
    network: '192.0.2.0/24',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    place: null,
    requestId: randomUUID(),
    sessionHash: Buffer.alloc(0),
    newDeviceCookieHash: Buffer.alloc(0),
  };
}

/** From the entry's own time to the time in its seal: both clocks are this machine's. */
const LAG = `
  select extract(epoch from percentile_disc(0.5) within group (order by s.sealed_at - e.at)) * 1000 as p50,
         extract(epoch from percentile_disc(0.99) within group (order by s.sealed_at - e.at)) * 1000 as p99,
         count(*) as entries, extract(epoch from max(s.sealed_at) - min(e.at)) as seconds
    from audit_seal s join audit_entry e on e.id = s.entry_id where e.action = $1`;

interface Lag {
  p50: string;
  p99: string;
  entries: string;
  seconds: string;
}

const inMs = (ms: string) => `${Number(ms).toFixed(0)} ms`;

/** Over the entries of the appends. */
async function sealLag(db: Database): Promise<string> {
  const { p50, p99, entries } = await oneRow<Lag>(db.fork(), LAG, ['bench.appended']);
  return `sealed after: p50 ${inMs(p50)}, p99 ${inMs(p99)} (${entries} entries of the rows of two columns)`;
}

/** Offers entries at a steady rate, whether the sealer keeps up or not. */
async function sealingUnderLoad(db: Database, auditKey: KeyObject): Promise<string> {
  const audit = createAuditLog({ auditKey });
  const { perSecond: rate, entries, seconds } = OFFERED;
  const started = performance.now();
  const calls = (rate / entries) * seconds;
  let next = 0;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let call = next++; call < calls; call = next++) {
        const wait = started + (call * entries * 1000) / rate - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        await db.transaction((tx) =>
          audit.append(tx, ...Array.from({ length: entries }, () => event('bench.offered'))),
        );
      }
    }),
  );
  const appended = (calls * entries) / ((performance.now() - started) / 1000);
  await sealed(db);
  const lag = await oneRow<Lag>(db.fork(), LAG, ['bench.offered']);
  const rates = `${rate}/s offered, ${appended.toFixed(0)}/s appended, ${(Number(lag.entries) / Number(lag.seconds)).toFixed(0)}/s sealed`;
  return `sealing under load: ${rates}; sealed after: p50 ${inMs(lag.p50)}, p99 ${inMs(lag.p99)} (${lag.entries} entries, ${entries} a transaction)`;
}

const event = (action: string, subject: string = randomUUID()): AuditEvent => ({
  action,
  actor: { kind: 'system' },
  subject: { kind: 'bench', id: subject },
  outcome: 'success',
  details: { amount: '250.00', currency: 'USD', points: [{ ruleId: 'velocity', points: 0 }] },
});

async function perSecond(call: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  let left = CALLS;
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (left > 0) {
        left -= 1;
        await call();
      }
    }),
  );
  return CALLS / ((performance.now() - started) / 1000);
}

/** Both sides read the same rows by the same statement, in the same ranges, with as many threads and connections. */
async function verifyTimes(db: Database, auditKey: KeyObject, entries: number) {
  const audit = createAuditLog({ auditKey });
  const sealedNow = async () =>
    Number((await oneRow<{ n: string }>(db.fork(), 'select count(*) as n from audit_seal')).n);
  for (let n = await sealedNow(); n < entries; n += BATCH) {
    await db.transaction((tx) => audit.append(tx, ...Array.from({ length: BATCH }, () => event('bench.stored'))));
  }
  await sealed(db, entries);
  const total = await sealedNow();
  const verifier = createAuditVerifier({ db, auditKeys: [auditKey] });
  let rss = 0;
  const sampling = setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss());
  }, 50);
  const lines: string[][] = [];
  let fastest = 0;
  for (const threads of new Set([1, availableParallelism()])) {
    const rates = { bare: [] as number[], ours: [] as number[] };
    for (let round = 0; round < VERIFY_ROUNDS; round += 1) {
      rates.bare.push(await rate(total, () => hashLog(db.databaseUrl, total, threads)));
      rates.ours.push(
        await rate(total, async () => {
          const { valid, reason } = await verifier.verify({ threads });
          if (!valid) throw new Error(`the log of the bench does not verify: ${reason}`);
        }),
      );
    }
    fastest = Math.max(fastest, median(rates.ours));
    const name = `verification of ${total} entries, SHA-256 of the same bytes, ${threads} thread(s) each`;
    lines.push(line(name, median(rates.bare), median(rates.ours)));
  }
  clearInterval(sampling);
  const seconds = (total / fastest).toFixed(1);
  return { lines, note: `the whole log verified in ${seconds} s; this process at most ${(rss / 1e6).toFixed(0)} MB` };
}

async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return count / ((performance.now() - started) / 1000);
}

/** Waits until nothing is unsealed. @param entries how many were appended, for the time it may take */
async function sealed(db: Database, entries = 0): Promise<void> {
  const deadline = performance.now() + SEALED_WITHIN_MS + entries / 5;
  for (;;) {
    const { open } = await oneRow<{ open: boolean }>(
      db.fork(),
      'select (select count(*) from audit_entry) > (select count(*) from audit_seal) as open',
    );
    if (!open) return;
    if (performance.now() > deadline) throw new Error('the sealer did not catch up');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
