import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import type { ActivityDeps } from '../activities/deps.ts';
import { createTransactionActivities } from '../activities/transaction.ts';
import { table } from '../cli/replay-report.ts';
import { percentile } from '../cli/replay-tally.ts';
import { storeFeatures } from '../db/account-state.ts';
import { createAuditLog } from '../db/audit.ts';
import { ensureAccount, postSettlement } from '../db/ledger.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { createOutbox } from '../db/outbox.ts';
import { run } from '../db/sql.ts';
import { DEFAULT_LIMITS, limitsInMinor } from '../domain/limits.ts';
import { type AccountState, emptyAccount, settleOnAccount } from '../domain/risk/account-state.ts';
import { fold, NO_ACCESS } from '../domain/risk/features.ts';
import { emptyPopulation, preparePopulation } from '../domain/risk/population.ts';
import { startLocalPostgres } from '../platform/local-postgres.ts';
import type { TransactionInput } from '../workflows/contract.ts';
import { createDatabase } from './bench-database.ts';
import { keyringForBench } from './crypto.ts';

/**
 * What a decision costs as the history grows: the activity that decides, on a PostgreSQL of its own with 10 thousand, a
 * million and 10 million transactions in it. Features are folds over states of bounded size, so the median may grow by
 * the depth of the indexes and nothing else; the target is less than 1.5 times.
 */
const SIZES = [10_000, 1_000_000, 10_000_000] as const;
const ACCOUNTS = 2_000;
const CHUNK = 250_000;
const MEASURED = 20;
const WARM_UP = 100;
const CALLS = 600;
/** Transactions that fill the state of a measured account: far more than any of its lists keeps. */
const PAST = 3_000;
const DAY_MICROS = 86_400_000_000;

export async function historyTable(say: (line: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-bench-'));
  const postgres = await startLocalPostgres({ dataDir: join(folder, 'data') });
  try {
    const ownerUrl = await createDatabase(postgres, 'history');
    const filler = new pg.Client({ connectionString: ownerUrl });
    await filler.connect();
    await filler.query('alter table transaction disable trigger user');
    // The rows are made by one statement that knows its people: nothing has to be looked up for each of ten million.
    await filler.query(WITHOUT_REFERENCES);
    await filler.query(PEOPLE, [ACCOUNTS]);
    const db = await createOrm({ databaseUrl: ownerUrl, poolMax: 4, applicationName: 'bench' });
    try {
      const decide = await createDecisions(db);
      const lines: string[][] = [];
      let there = 0;
      let first: number | undefined;
      for (const size of SIZES) {
        say(`Writing up to ${size} transactions ...`);
        const { rows: indexes } = await filler.query<{ name: string; definition: string }>(SECONDARY_INDEXES);
        for (const { name } of indexes) await filler.query(`drop index ${name}`);
        for (; there < size; there += CHUNK) {
          await filler.query(TRANSACTIONS, [there, Math.min(there + CHUNK, size) - 1, ACCOUNTS]);
        }
        there = size;
        for (const { definition } of indexes) await filler.query(definition);
        await filler.query('vacuum analyze transaction');
        const times = await timesOf(decide);
        const [p50, p99] = [percentile(times, 50) ?? Number.NaN, percentile(times, 99) ?? Number.NaN];
        first ??= p50;
        lines.push([String(size), p50.toFixed(2), p99.toFixed(2), `${(p50 / first).toFixed(2)} x`]);
        say(table(['transactions', 'p50 ms', 'p99 ms', 'p50 ratio'], lines));
      }
    } finally {
      await filler.end();
      await db.close();
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns decides one more withdrawal of 10.00 by the next of the measured accounts */
async function createDecisions(db: Database): Promise<() => Promise<void>> {
  const keyring = await keyringForBench();
  const deps: Pick<ActivityDeps, 'db' | 'keyring' | 'audit' | 'outbox' | 'publicOrigin' | 'log' | 'limits'> = {
    db,
    keyring,
    audit: createAuditLog({ auditKey: createSecretKey(randomBytes(32)) }),
    outbox: createOutbox({ keyring }),
    publicOrigin: 'https://trade.example.com',
    log: pino({ level: 'silent' }),
    limits: limitsInMinor(DEFAULT_LIMITS, 2),
  };
  const { assessTransaction } = createTransactionActivities(deps as ActivityDeps);
  // All rule sets that come with the program judge: one decides, the others in the shadow.
  await run(db.fork(), `update rule_set set status = 'shadow' where status = 'draft'`);
  const people: { userId: string; accountId: string }[] = [];
  for (let n = 0; n < MEASURED; n += 1) people.push(await busyAccount(db));
  let calls = 0;
  return async () => {
    const person = people[calls % MEASURED] as { userId: string; accountId: string };
    calls += 1;
    const { verdict } = await assessTransaction(inputOf(person, calls));
    if (verdict.kind !== 'decided') throw new Error(`the decision was refused: ${verdict.code}`);
  };
}

async function busyAccount(db: Database): Promise<{ userId: string; accountId: string }> {
  const userId = randomUUID();
  await run(
    db.fork(),
    `insert into app_user (id, email, email_key, full_name, role) values ($1, $2, $2, 'Bench', 'customer')`,
    [userId, `${userId}@example.test`],
  );
  return db.transaction(async (tx) => {
    const accountId = await ensureAccount(tx, { id: randomUUID(), userId });
    await postSettlement(tx, randomUUID(), {
      ...{ type: 'deposit', accountId, counterpartyAccountId: null, currency: 'USD' },
      ...{ amount: 100_000_000_00n, instrument: null, quantity: null },
    });
    await storeFeatures(tx, accountId, fullState(accountId));
    return { userId, accountId };
  });
}

/** The state of an account that was busy for a hundred days until a while ago. */
function fullState(account: string): AccountState {
  const population = preparePopulation(emptyPopulation());
  const start = Date.now() * 1_000 - 101 * DAY_MICROS;
  let state = emptyAccount();
  for (let n = 0; n < PAST; n += 1) {
    const tx = {
      ...{ at: start + Math.floor((n * 100 * DAY_MICROS) / PAST), type: 'withdrawal' as const, exponent: 2, account },
      ...{
        amountMinor: BigInt(500 + ((n * 7_919) % 90_000)),
        category: n % 2 === 0 ? 'rent' : `c${n % 300}`,
        counterparty: `p${n % 400}`,
      },
      ...{ instrument: null, ip: null, access: NO_ACCESS },
    };
    state = settleOnAccount(fold({ account: state, counterparty: null, population }, tx).account, tx);
  }
  return state;
}

function inputOf({ userId, accountId }: { userId: string; accountId: string }, n: number): TransactionInput {
  const queues = { decisions: 'bench', background: 'bench' };
  return {
    request: {
      ...{ transactionId: randomUUID(), userId, accountId, type: 'withdrawal', instrument: null, quantity: null },
      ...{ priceLimit: null, amount: '1000', currency: 'USD', category: 'rent', counterparty: `p${n % 400}` },
      ...{ bodyHash: '00'.repeat(32), sessionId: null, ip: null, userAgent: null, requestId: 'bench' },
      submissionId: randomUUID(),
    },
    userTag: '0'.repeat(32),
    settings: {
      ...{ queues, stepUpTimeoutMs: 900_000, emailCodeTtlMs: 600_000, reviewWindowMs: 86_400_000 },
      ...{ priceMaxAgeMs: 900_000, payments: 'none', paymentTimeoutMs: 86_400_000, maxFactorTries: 5 },
      ...{ baseCurrency: 'USD', stepUpAmountMinor: '1000000', secondApprovalAboveMinor: null },
    },
    virtual: null,
    resume: null,
  };
}

async function timesOf(decide: () => Promise<void>): Promise<number[]> {
  for (let n = 0; n < WARM_UP; n += 1) await decide();
  const times: number[] = [];
  for (let n = 0; n < CALLS; n += 1) {
    const started = performance.now();
    await decide();
    times.push(performance.now() - started);
  }
  return times.toSorted((a, b) => a - b);
}

const idOf = (n: string) => `('00000000-0000-7000-8000-' || lpad((${n})::text, 12, '0'))::uuid`;

const PEOPLE = `
  with person as (
    insert into app_user (id, email, email_key, full_name, role)
    select ${idOf('n')}, n || '@example.test', n || '@example.test', 'Person', 'customer' from generate_series(0, $1::int - 1) n
    returning id)
  insert into account (id, user_id, kind, name) select id, id, 'customer', 'Account' from person`;

const WITHOUT_REFERENCES = `
  do $$ declare one record; begin
    for one in select conname from pg_constraint where conrelid = 'transaction'::regclass and contype = 'f' loop
      execute format('alter table transaction drop constraint %I', one.conname);
    end loop;
  end $$`;

const SECONDARY_INDEXES = `
  select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i where i.indrelid = 'transaction'::regclass and not i.indisunique`;

/** Settled withdrawals over the last year. */
const TRANSACTIONS = `
  insert into transaction (id, user_id, account_id, type, amount, base_amount, currency, category, counterparty, body_hash, status, score,
    rule_set_version, reasons, features, first_status, first_body, t, created_at, finished_at, settings)
  select ${idOf('n::bigint + 1000000')}, ${idOf('n % $3')}, ${idOf('n % $3')}, 'withdrawal', 1000 + n % 90000, 1000 + n % 90000, 'USD', 'other',
    'p' || n % 400, '\\x00', 'settled', 0, 'v1', '[]', '{}', 201, '{}', d.at, d.at, d.at, '{}'
   from (select n, clock_timestamp() - interval '1 day' - (n::bigint * 2654435761 % 31536000) * interval '1 second' as at
           from generate_series($1::int, $2::int) n) d`;
