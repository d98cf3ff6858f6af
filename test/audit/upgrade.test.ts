import { createSecretKey, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Migration, Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createAuditLog } from '../../db/audit.ts';
import { createChainSealer } from '../../db/audit-seal.ts';
import { searchAudit } from '../../db/audit-search.ts';
import { inclusionProof, rootAt } from '../../db/audit-tree.ts';
import { createAuditVerifier } from '../../db/audit-verify.ts';
import { migrate } from '../../db/migrate.ts';
import { createOrm, type Database } from '../../db/orm.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { leafHash } from '../../security/audit-chain.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { verifyInclusion } from '../../security/merkle.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { entryHmac } from '../helpers/audit-macs.ts';
import { administrate, withDatabase } from '../helpers/template.ts';
import { event } from './log-fixture.ts';

const FOLDER = join(import.meta.dirname, '../../db/migrations');
const SEALED = 700;
const WAITING = 30;
const auditKey = createSecretKey(randomBytes(32));
const { ownerUrl, appUrl, databasePrefix } = inject('servers');
const name = `${databasePrefix}_upgrade_${randomBytes(4).toString('hex')}`;
const ownUrl = withDatabase(ownerUrl, name);
const audit = createAuditLog({ auditKey });
let db: Database;
let texts: string[];

/** Everything up to the version before the log had months and a tree. */
async function migrateToBefore(): Promise<void> {
  const files = readdirSync(FOLDER).filter((file) => file < '0020');
  const migrations = await Promise.all(
    files.sort().map(async (file) => {
      const [migration] = Object.values((await import(join(FOLDER, file))) as Record<string, new () => Migration>);
      if (migration === undefined) throw new Error(`${file} has no migration`);
      return { name: file.slice(0, -'.ts'.length), class: migration };
    }),
  );
  const orm = await MikroORM.init({
    clientUrl: ownUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    migrations: { migrationsList: migrations as never, tableName: 'schema_migration', snapshot: false },
    logger: () => {},
  });
  await orm.migrator.up();
  await orm.close(true);
}

/** As the version before wrote and sealed it: no severity, no columns, no nodes. */
async function fillAsBefore(client: pg.Client): Promise<void> {
  texts = Array.from({ length: SEALED + WAITING }, (_, n) =>
    canonicalJson({
      ...{ v: 1, id: uuidV7(), at: `2026-10-01T00:00:00.${String(n).padStart(6, '0')}Z`, action: 'test.past' },
      ...{ actor: { kind: 'user', id: 'somebody' }, subject: { kind: 'thing', id: `thing-${n}` }, outcome: 'success' },
      ...{ ip: null, userAgent: null, requestId: null, workflowId: null, details: { n } },
    }),
  );
  const append = (entries: string[]) =>
    client.query(
      `insert into audit_entry (id, entry, entry_hmac)
       select id, entry, mac from unnest($1::uuid[], $2::text[], $3::bytea[]) as e (id, entry, mac)`,
      [entries.map((text) => JSON.parse(text).id), entries, entries.map((text) => entryHmac(auditKey, text))],
    );
  await append(texts.slice(0, SEALED));
  // Batches that complete no tile: the sealer of today would store a node otherwise.
  await client.query('create temporary table audit_tree_node (level smallint, index bigint, hash bytea)');
  const sealer = createChainSealer({ auditKey, batchSize: 100 });
  for (;;) {
    const result = await sealer.seal(client);
    if (result.outcome !== 'sealed' || !result.more) break;
  }
  await append(texts.slice(SEALED));
}

beforeAll(async () => {
  await administrate(ownerUrl, (client) => client.query(`create database ${name}`));
  await migrateToBefore();
  const client = new pg.Client({ connectionString: ownUrl, pipeline: true });
  await client.connect();
  await fillAsBefore(client);
  await client.end();
  await migrate({ ownerUrl: ownUrl, appRole: new URL(appUrl).username });
  db = await createOrm({ databaseUrl: withDatabase(appUrl, name), poolMax: 5, applicationName: 'test' });
});
afterAll(async () => {
  await db?.close();
  await administrate(ownerUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
});

async function seal(): Promise<void> {
  const client = new pg.Client({
    connectionString: withDatabase(appUrl, name),
    pipeline: true,
    options: '-c timezone=UTC',
  });
  await client.connect();
  const sealer = createChainSealer({ auditKey });
  await sealer.enterEra(client);
  for (let more = true; more; ) {
    const result = await sealer.seal(client);
    more = result.outcome === 'sealed' && result.more;
  }
  while (await sealer.growTree(client));
  await client.end();
}

it('[A7] a log of the version before keeps every entry, its order and its chain, and goes on', async () => {
  const tables = await rows<{ name: string }>(
    db.fork(),
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'audit_entry'::regclass order by 1`,
  );
  expect(tables.map((table) => table.name)).toContain('audit_entry_past');
  const before = await oneRow<{ n: string }>(db.fork(), 'select max(n) as n from audit_entry');
  await db.transaction((tx) => audit.append(tx, event('after the upgrade')));
  await seal();

  const chained = await rows<{ entry: string }>(
    db.fork(),
    'select e.entry from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq',
  );
  expect(chained.slice(0, -1).map(({ entry }) => entry)).toEqual(texts);
  expect(chained).toHaveLength(SEALED + WAITING + 1);
  const numbered = await oneRow<{ n: string }>(db.fork(), 'select n from audit_entry order by n desc limit 1');
  expect(Number(numbered.n)).toBeGreaterThan(Number(before.n));
  expect(await createAuditVerifier({ db, auditKeys: [auditKey] }).verify()).toMatchObject({
    ...{ valid: true, checked: SEALED + WAITING + 1, unsealed: 0 },
  });
});

it('proves an entry from before it had a tree, and finds it', async () => {
  const size = SEALED + WAITING;
  const proof = await inclusionProof(db.fork(), { index: 5, size });
  verifyInclusion({ leaf: leafHash(texts[5] ?? ''), index: 5, size, root: await rootAt(db.fork(), size), proof });
  const found = await searchAudit(
    db.fork(),
    { action: null, actor: null, subject: 'thing-5', severity: null, from: null, to: null },
    { limit: 5, before: null },
  );
  expect(found.map(({ seq }) => seq)).toEqual([5]);
});

it('refuses changes of what was there before', async () => {
  const client = new pg.Client({ connectionString: ownUrl, pipeline: true });
  await client.connect();
  try {
    for (const statement of [
      `update audit_entry set outcome = 'failure'`,
      'delete from audit_entry_past',
      'truncate audit_entry_past',
      'truncate audit_entry',
    ]) {
      await expect(client.query(statement), statement).rejects.toThrow(/append-only/);
    }
  } finally {
    await client.end();
  }
  await expect(run(db.fork(), 'delete from audit_entry')).rejects.toThrow(/permission denied/);
});
