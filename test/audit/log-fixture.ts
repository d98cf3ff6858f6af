import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import pg from 'pg';
import { type AuditEvent, createAuditLog } from '../../db/audit.ts';
import { createChainSealer } from '../../db/audit-seal.ts';
import { createAuditVerifier } from '../../db/audit-verify.ts';
import { rows } from '../../db/sql.ts';
import { createDatabase } from '../helpers/database.ts';

export interface SealedEntry {
  seq: number;
  entryId: string;
  /** `details.n` of the entry. */
  label: unknown;
}

/** An audit log in a database of its own, with its key; what is opened here is closed by `close`. */
export async function createLog() {
  const database = await createDatabase();
  const auditKey: KeyObject = createSecretKey(randomBytes(32));
  const audit = createAuditLog({ auditKey });
  const clients: pg.Client[] = [];

  async function connect(url: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url, pipeline: true, options: '-c timezone=UTC' });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  }

  const log = {
    ...database,
    auditKey,
    audit,
    connect,

    /** One committed transaction with an entry for each label. */
    append: (...labels: unknown[]) => database.db.transaction((tx) => audit.append(tx, ...labels.map(event))),

    /** Seals everything that waits. */
    async seal(batchSize = 100): Promise<number> {
      const client = await connect(database.url);
      const sealer = createChainSealer({ auditKey, batchSize });
      await sealer.enterEra(client);
      let count = 0;
      for (;;) {
        const result = await sealer.seal(client);
        if (result.outcome !== 'sealed') throw new Error(`another sealer is at work: ${result.outcome}`);
        count += result.count;
        if (!result.more) break;
      }
      await client.end();
      return count;
    },

    verify: (keys: readonly KeyObject[] = [auditKey]) =>
      createAuditVerifier({ db: database.db, auditKeys: keys }).verify(),

    async sealed(): Promise<SealedEntry[]> {
      const found = await rows<{ seq: string; entry_id: string; label: string }>(
        database.db.fork(),
        `select s.seq, s.entry_id, e.entry::jsonb #> '{details,n}' as label
           from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq`,
      );
      return found.map(({ seq, entry_id, label }) => ({ seq: Number(seq), entryId: entry_id, label }));
    },

    /** As somebody who rules the database: the append-only triggers are off while `work` runs. */
    async asDatabaseAdministrator(
      work: (sql: (text: string, params?: unknown[]) => Promise<pg.QueryResult>) => unknown,
    ) {
      const client = await connect(database.ownerUrl);
      const tables = [
        'audit_entry',
        'audit_seal',
        'audit_tree_node',
        'audit_era',
        'audit_log_origin',
        'audit_checkpoint',
      ];
      for (const table of tables) await client.query(`alter table ${table} disable trigger user`);
      try {
        await work((text, params = []) => client.query(text, params));
      } finally {
        for (const table of tables) await client.query(`alter table ${table} enable trigger user`);
        await client.end();
      }
    },

    async close(): Promise<void> {
      await Promise.all(clients.map((client) => client.end().catch(() => {})));
      await database.close();
    },
  };
  return log;
}

export type Log = Awaited<ReturnType<typeof createLog>>;

/** An event that is told from others by its label. */
export function event(label: unknown): AuditEvent {
  return {
    action: 'test.happened',
    actor: { kind: 'user', id: '0190a5a0-0000-7000-8000-000000000001' },
    subject: { kind: 'thing', id: `thing-${label}` },
    outcome: 'success',
    ip: '192.0.2.7',
    details: { n: label },
  };
}
