import { createSecretKey } from 'node:crypto';
import pg from 'pg';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { migrate } from '../db/migrate.ts';
import { createOrm } from '../db/orm.ts';
import { loadOrCreateSecrets } from '../platform/secrets.ts';
import { StoryError } from './demo-cast.ts';
import type { OwnInstance } from './own-instance.ts';

const COPY = 'tradeguard_tampered_copy';
/** The tables of the log, in an order that foreign keys allow,. */
const LOG = {
  audit_log_origin: 'id, origin, created_at',
  audit_era: 'era, cluster, started_at',
  audit_entry: 'id, n, era, xid, entry, entry_hmac, at, action, actor, subject, outcome, severity',
  audit_seal: 'seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, horizon, sealed_at',
} as const;

export interface Tampering {
  /** What was changed, in words. */
  readonly tampered: string;
  readonly finding: string;
}

/**
 * Copies the sealed audit log into a database of its own, turns one refused login into a granted one there, as somebody
 * could who owns the database and takes its triggers away, and verifies the copy with the code that verifies the log.
 *
 * @throws StoryError when the untouched copy is not valid, or the change is not found at its place
 */
export async function tamperWithCopy(instance: OwnInstance): Promise<Tampering> {
  const { databaseOwner, database } = instance.endpoints;
  if (databaseOwner === undefined) throw new StoryError('The instance does not tell how its owner connects.');
  const copyUrl = new URL(databaseOwner);
  copyUrl.pathname = `/${COPY}`;
  await withClient(databaseOwner, (owner) => owner.query(`create database ${COPY}`));
  await migrate({ ownerUrl: copyUrl.href, appRole: decodeURIComponent(new URL(database).username) });
  await withClient(databaseOwner, (from) => withClient(copyUrl.href, (to) => copyLog(from, to)));

  const key = createSecretKey(Buffer.from(loadOrCreateSecrets(instance.dataDir).AUDIT_KEY, 'base64'));
  const db = await createOrm({ databaseUrl: copyUrl.href, poolMax: 2, applicationName: 'tradeguard-demo' });
  try {
    const verifier = createAuditVerifier({ db, auditKeys: [key] });
    const before = await verifier.verify();
    if (!before.valid) throw new StoryError(`The untouched copy is not valid: ${before.reason}.`);
    const seq = await withClient(copyUrl.href, forgeEntry);
    const after = await verifier.verify();
    if (after.valid || after.firstInvalidSeq !== seq) {
      throw new StoryError(`The change of entry ${seq} was not found: ${JSON.stringify(after)}`);
    }
    return {
      tampered: `entry ${seq} now says that the login from Tokyo succeeded`,
      finding: `not valid, first bad entry ${after.firstInvalidSeq} (${after.reason}); ${after.checked} before it are sound.`,
    };
  } finally {
    await db.close();
    await withClient(databaseOwner, (owner) => owner.query(`drop database ${COPY} with (force)`));
  }
}

/** Only what is sealed, as of one moment: the sealer goes on meanwhile, and a seal without its entry is a finding. */
async function copyLog(from: pg.Client, to: pg.Client): Promise<void> {
  await from.query('begin isolation level repeatable read read only');
  for (const [table, columns] of Object.entries(LOG)) {
    const sealed = table === 'audit_entry' ? 'where id in (select entry_id from audit_seal)' : '';
    const { rows } = await from.query<{ line: string }>(
      `select to_jsonb(t)::text as line from (select ${columns} from ${table} ${sealed}) as t`,
    );
    await to.query(`alter table ${table} disable trigger user; delete from ${table}`);
    for (const { line } of rows) {
      await to.query(
        `insert into ${table} (${columns}) overriding system value
         select ${columns} from jsonb_populate_record(null::${table}, $1::jsonb)`,
        [line],
      );
    }
  }
}

async function forgeEntry(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ seq: string }>(
    `update audit_entry e set entry = replace(replace(e.entry, '"login.denied"', '"login.succeeded"'), '"denied"', '"success"')
       from audit_seal s where s.entry_id = e.id and e.action = 'login.denied' returning s.seq`,
  );
  const seq = rows[0]?.seq;
  if (seq === undefined) throw new StoryError('The log has no entry about the denied login.');
  return Number(seq);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
