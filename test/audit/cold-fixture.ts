import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { openArchives } from '../../activities/archive-folder.ts';
import { createAuditArchive } from '../../activities/audit-archive.ts';
import { createMonthRestore } from '../../activities/restore-month.ts';
import { createAuditVerifier } from '../../db/audit-verify.ts';
import { rows } from '../../db/sql.ts';
import { createPublishedLog } from './checkpoint-fixture.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The first moment of a month so many before this one, and its name. */
export function monthAgo(ago: number): { start: number; month: string } {
  const now = new Date();
  const start = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, 1);
  return { start, month: new Date(start).toISOString().slice(0, 7) };
}

/**
 * A log with entries of two old months, the older one with `count` entries and the younger with 40, whose ends lie within each
 * other, and some of today. Everything is sealed and published.
 */
export async function createColdLog(count = 300) {
  const log = await createPublishedLog();
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-cold-'));
  const [older, younger] = [monthAgo(5), monthAgo(4)];
  for (const { month } of [older, younger]) await makeTable(month);

  /** As the database makes the table of a month ahead of it. */
  async function makeTable(month: string): Promise<void> {
    const name = `audit_entry_${month.replace('-', '')}`;
    const bound = (months: number) =>
      `audit_month_start((timestamp '${month}-01' + interval '${months} month') at time zone 'UTC')`;
    const [ids] = await rows<{ first: string; end: string }>(
      log.ownerDb.fork(),
      `select ${bound(0)} as first, ${bound(1)} as end`,
    );
    await log.asOwner(
      `create table ${name} partition of audit_entry for values from ('${ids?.first}') to ('${ids?.end}');
       create trigger ${name}_no_truncate before truncate on ${name} for each statement execute function audit_refuse_change()`,
    );
  }

  /** Appends as a process would whose clock stands there. */
  async function appendAt(time: number, ...labels: unknown[]): Promise<void> {
    vi.useFakeTimers({ toFake: ['Date'], now: time });
    try {
      await log.append(...labels);
    } finally {
      vi.useRealTimers();
    }
  }

  const day = 86_400_000;
  const labels = Array.from({ length: count }, (_, n) => (n % 50 === 0 ? `é\u2028"quoted"\n${n}` : n));
  await appendAt(older.start + 3 * day, ...labels.slice(0, -2));
  // One of the younger month commits before the last of the older one.
  await appendAt(younger.start + 1, 'early');
  await appendAt(younger.start - 1, ...labels.slice(-2));
  await appendAt(younger.start + 3 * day, ...Array.from({ length: 39 }, (_, n) => `younger-${n}`));
  await log.grow('today', 'also today');

  const deps = { db: log.db, owner: log.ownerDb, audit: log.audit, auditKey: log.auditKey, publisher: log.publisher };
  const at = (name: string) => join(folder, name);
  const cold = {
    ...log,
    deps,
    older: older.month,
    younger: younger.month,
    appendAt,
    makeTable,
    folderOf: at,

    archive: (month: string, name: string, more: { signal?: AbortSignal; patienceMs?: number } = {}) =>
      createAuditArchive(deps).archive({ month, dir: at(name), ...more }),

    restoreMonth: (name: string, more: { patienceMs?: number } = {}) =>
      createMonthRestore(deps).restore({ dir: at(name), ...more }),

    /** Seals what waits, then verifies everything, with the texts of archive folders. */
    async check(...names: string[]) {
      await log.seal();
      const archives = await openArchives({ db: log.db, auditKey: log.auditKey, signer: log.signer }, names.map(at));
      return createAuditVerifier({ db: log.db, auditKeys: [log.auditKey] }).verify({
        published: await log.publisher.evidence(),
        archives,
      });
    },

    tables: async () =>
      (
        await rows<{ name: string }>(
          log.ownerDb.fork(),
          `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'audit_entry'::regclass order by 1`,
        )
      ).map(({ name }) => name),

    /** Everything that a table holds and is. */
    async imageOf(month: string) {
      const name = `audit_entry_${month.replace('-', '')}`;
      const of = async (query: string) => (await rows<{ t: string }>(log.ownerDb.fork(), query)).map(({ t }) => t);
      return {
        rows: await of(`select e::text as t from ${name} e order by id`),
        columns: await of(
          `select concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(d.adbin, d.adrelid)) as t
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = '${name}'::regclass and a.attnum > 0 order by a.attnum`,
        ),
        constraints: await of(
          `select conname || ' ' || conislocal || ' ' || coninhcount || ' ' || pg_get_constraintdef(oid) as t
             from pg_constraint where conrelid = '${name}'::regclass order by 1`,
        ),
        indexes: await of(`select indexdef as t from pg_indexes where tablename = '${name}' order by 1`),
        attached: await of(
          `select p.indexrelid::regclass::text as t from pg_index p where p.indrelid = '${name}'::regclass
              and exists (select from pg_inherits i where i.inhrelid = p.indexrelid) order by 1`,
        ),
        triggers: await of(
          `select tgname || ' ' || tgenabled::text || ' ' || tgtype || ' ' || (tgparentid <> 0) as t
             from pg_trigger where tgrelid = '${name}'::regclass order by 1`,
        ),
        grants: await of(
          `select coalesce(relacl::text, '') || relowner::regrole as t from pg_class where relname = '${name}'`,
        ),
        bound: await of(`select pg_get_expr(relpartbound, oid) as t from pg_class where relname = '${name}'`),
      };
    },

    /** `tradeguard audit ...` beside this log. */
    startCommand(...args: string[]) {
      const child = spawn(
        process.execPath,
        [join(ROOT, 'cli/tradeguard.ts'), 'audit', ...args, '--data-dir', '/nowhere'],
        {
          env: {
            PATH: process.env.PATH,
            DATABASE_URL: log.url,
            DATABASE_OWNER_URL: log.ownerUrl,
            AUDIT_KEY: log.auditKey.export().toString('base64'),
            AUDIT_CHECKPOINT_DIR: log.folder,
            SESSION_SECRET: randomBytes(32).toString('base64'),
            ENCRYPTION_KEY: randomBytes(32).toString('base64'),
          },
        },
      );
      const said = { out: '', err: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said.out += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said.err += text;
      });
      const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
      return { child, said, ended };
    },

    /** The verdict of the verifier that shares no line with the server. */
    async verifyOutside(names: readonly string[], ...flags: string[]) {
      const child = spawn(process.execPath, [join(ROOT, 'verifier/main.ts'), ...names.map(at), '--json', ...flags]);
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      const [code] = (await once(child, 'close')) as [number];
      return { code, ...JSON.parse(output) };
    },

    async close(): Promise<void> {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return cold;
}

export type ColdLog = Awaited<ReturnType<typeof createColdLog>>;
