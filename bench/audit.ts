import { createHash, type KeyObject, randomUUID } from 'node:crypto';
import { table } from '../cli/replay-report.ts';
import { createAuditLog } from '../db/audit.ts';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { oneRow, rows, run, type Tx } from '../db/sql.ts';
import { median } from './slices.ts';

const CALLERS = 8;
const ROUNDS = 7;
const CALLS = 800;
/** Entries that verification is measured over, on top of what the run has left. */
const ENTRIES = 60_000;
const BATCH = 500;
const PAGE = 2_000;
const SEALED_WITHIN_MS = 60_000;

/**
 * What an audit entry costs a transaction that inserts a row anyway, and what verification costs beside hashing the same
 * bytes read from PostgreSQL. The instance's own worker seals meanwhile, as in production.
 */
export async function auditTable(given: { ownerUrl: string; auditKey: KeyObject }): Promise<string> {
  const db = await createOrm({ databaseUrl: given.ownerUrl, poolMax: CALLERS + 2, applicationName: 'bench' });
  try {
    await run(db.fork(), 'create table if not exists bench_row (id uuid primary key, body text not null)');
    const append = await appendTimes(db, given.auditKey);
    await sealed(db);
    const lag = await sealLag(db);
    const verify = await verifyTimes(db, given.auditKey);
    const ratios = table(['audit', 'bare per s', 'ours per s', 'ratio'], [append, verify]);
    return `${ratios}\n\n${lag}`;
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

async function appendTimes(db: Database, auditKey: KeyObject): Promise<string[]> {
  const audit = createAuditLog({ auditKey });
  const insert = (tx: Tx) =>
    run(tx, 'insert into bench_row (id, body) values ($1, $2)', [randomUUID(), 'x'.repeat(200)]);
  const bare = () => db.transaction(insert);
  const ours = () =>
    db.transaction(async (tx) => {
      await insert(tx);
      await audit.append(tx, {
        action: 'bench.appended',
        actor: { kind: 'system' },
        subject: { kind: 'bench', id: randomUUID() },
        outcome: 'success',
        details: { amount: '250.00', currency: 'USD', points: [{ ruleId: 'velocity', points: 0 }] },
      });
    });
  const rates = { bare: [] as number[], ours: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.bare.push(await perSecond(bare));
    rates.ours.push(await perSecond(ours));
  }
  return line('insert in a transaction, with an entry', median(rates.bare), median(rates.ours));
}

/** From the entry's own time to the time in its seal, over the entries of the appends above: both clocks are this machine's. */
async function sealLag(db: Database): Promise<string> {
  const { p50, p99, entries } = await oneRow<{ p50: string; p99: string; entries: string }>(
    db.fork(),
    `select extract(epoch from percentile_disc(0.5) within group (order by s.sealed_at - e.at)) * 1000 as p50,
            extract(epoch from percentile_disc(0.99) within group (order by s.sealed_at - e.at)) * 1000 as p99,
            count(*) as entries
       from audit_seal s join audit_entry e on e.id = s.entry_id where e.action = 'bench.appended'`,
  );
  return `sealed after: p50 ${Number(p50).toFixed(0)} ms, p99 ${Number(p99).toFixed(0)} ms (${entries} entries)`;
}

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

async function verifyTimes(db: Database, auditKey: KeyObject): Promise<string[]> {
  const audit = createAuditLog({ auditKey });
  for (let n = 0; n < ENTRIES; n += BATCH) {
    const event = (at: number) => ({
      action: 'bench.appended',
      actor: { kind: 'system' } as const,
      subject: { kind: 'bench', id: String(at) },
      outcome: 'success' as const,
      details: { amount: '250.00', currency: 'USD', points: [{ ruleId: 'velocity', points: 0 }] },
    });
    await db.transaction((tx) => audit.append(tx, ...Array.from({ length: BATCH }, (_, at) => event(n + at))));
  }
  await sealed(db);
  const total = Number((await oneRow<{ n: string }>(db.fork(), 'select count(*) as n from audit_seal')).n);
  const verifier = createAuditVerifier({ db, auditKeys: [auditKey] });
  const rates = { bare: [] as number[], ours: [] as number[] };
  for (let round = 0; round < 3; round += 1) {
    const started = performance.now();
    const hashed = await hashAll(db);
    rates.bare.push(hashed / ((performance.now() - started) / 1000));
    const before = performance.now();
    const { valid, reason } = await verifier.verify();
    if (!valid) throw new Error(`the log of the bench does not verify: ${reason}`);
    rates.ours.push(total / ((performance.now() - before) / 1000));
  }
  return line(`verification of ${total} entries`, median(rates.bare), median(rates.ours));
}

async function sealed(db: Database): Promise<void> {
  const deadline = performance.now() + SEALED_WITHIN_MS;
  for (;;) {
    const { open } = await oneRow<{ open: boolean }>(
      db.fork(),
      'select (select count(*) from audit_entry) > (select count(*) from audit_seal) as open',
    );
    if (!open) return;
    if (performance.now() > deadline) throw new Error('the sealer did not catch up within a minute');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The same bytes in the same pages, hashed and nothing else. */
async function hashAll(db: Database): Promise<number> {
  const hash = createHash('sha256');
  let count = 0;
  for (let after = -1; ; ) {
    const page = await rows<{ seq: string; entry: string }>(
      db.fork(),
      `select s.seq, e.entry from audit_seal s join audit_entry e on e.id = s.entry_id
        where s.seq > $1 order by s.seq limit ${PAGE}`,
      [after],
    );
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { entry } of page) hash.update(entry);
    after = Number(last.seq);
    count += page.length;
  }
  hash.digest();
  return count;
}
