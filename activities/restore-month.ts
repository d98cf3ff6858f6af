import { join } from 'node:path';
import { type ExportLine, linesOf } from '../db/archive-lines.ts';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { attachMonth, closeMonth, type MonthTable, makeMonth, monthTable, tableOf } from '../db/month-tables.ts';
import { run, type Tx } from '../db/sql.ts';
import { type ColdMonth, coldMonthOf } from '../domain/cold-month.ts';
import { ArchiveError, type OpenArchive, openArchives } from './archive-folder.ts';
import { alone, type ColdDeps, type ColdRequest, changeColdStorage } from './cold-work.ts';

/** Rows of one statement. */
const BATCH = 2_000;

/**
 * Brings a month back from its archive folder, row by row as it was. Its text, columns and MACs are recomputed and held
 * against the seals that stayed, before anything is loaded.
 */
export function createMonthRestore(deps: ColdDeps) {
  const { db, owner, auditKey, publisher } = deps;

  /** @throws ArchiveError, whose message says what to do; errors of the database and the file system */
  function restore(request: ColdRequest): Promise<ColdMonth> {
    return alone(deps, async () => {
      const { signer } = publisher;
      const [archive] = await openArchives({ db, auditKey, signer }, [request.dir]);
      if (archive === undefined) throw new Error('no archive was opened');
      const { month } = archive;
      const table: MonthTable = { ...month, name: tableOf(month.month) };
      if ((await monthTable(owner.fork(), month.month)) !== undefined) {
        throw new ArchiveError(
          `The log has a table ${table.name} already: ${month.month} cannot be brought back into it.`,
        );
      }
      await assertGenuine(archive, request);
      await owner.transaction((tx) => load(tx, table, archive, request));
      const last = (tx: Tx) => attachMonth(tx, table);
      await changeColdStorage(deps, 'restored', month, { before: async () => {}, last }, request);
      return month;
    });
  }

  /** Holds the folder against the log: each text against leaf, link and MACs of its seal. */
  async function assertGenuine(archive: OpenArchive, { signal, threads, onProgress }: ColdRequest): Promise<void> {
    const { from, to } = archive.month;
    const verified = await createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      ...{ from, to, archives: [archive], ...(threads ? { threads } : {}), ...(signal ? { signal } : {}) },
      onProgress: ({ head, total }) =>
        onProgress?.({ phase: 'verify', done: head.seq + 1 - from, total: total - from }),
    });
    if (verified.valid) return;
    const place = verified.firstInvalidSeq === null ? '' : ` at entry ${verified.firstInvalidSeq}`;
    throw new ArchiveError(
      verified.reason === 'archive_changed'
        ? `${archive.dir} is not what was archived${place}: take another copy of the folder.`
        : `Not brought back, since the log is not sound: ${verified.reason}${place}. Treat it as an incident.`,
    );
  }

  async function load(tx: Tx, table: MonthTable, archive: OpenArchive, { signal, onProgress }: ColdRequest) {
    const { month, dir, files } = archive;
    await makeMonth(tx, table);
    let batch: ExportLine[] = [];
    let loaded = 0;
    const flush = async () => {
      signal?.throwIfAborted();
      if (batch.length > 0) await insert(tx, table, batch);
      loaded += batch.length;
      batch = [];
      onProgress?.({ phase: 'load', done: loaded, total: month.entries });
    };
    for (const { name } of files) {
      for await (const text of linesOf(join(dir, name))) {
        const line = JSON.parse(text) as ExportLine;
        // Entries of the neighbouring months between those of this one are where they were.
        if (coldMonthOf([month], line.seq, line.id) === undefined) continue;
        batch.push(line);
        if (batch.length === BATCH) await flush();
      }
    }
    await flush();
    await closeMonth(tx, table, month.entries);
  }

  return { restore };
}

async function insert(tx: Tx, { name }: MonthTable, lines: readonly ExportLine[]): Promise<void> {
  const of = <T>(value: (line: ExportLine) => T) => lines.map(value);
  await run(
    tx,
    `insert into public.${name} (id, n, era, xid, entry, entry_hmac, at, action, actor, subject, outcome, severity)
     select * from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::text[]::xid8[], $5::text[], $6::bytea[],
       $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])`,
    [
      of(({ id }) => id),
      of(({ n }) => n),
      of(({ era }) => era),
      of(({ xid }) => xid),
      of(({ entry }) => entry),
      of(({ entryHmac }) => Buffer.from(entryHmac ?? '', 'hex')),
      of(({ columns }) => columns?.at ?? null),
      of(({ columns }) => columns?.action ?? null),
      of(({ columns }) => columns?.actor ?? null),
      of(({ columns }) => columns?.subject ?? null),
      of(({ columns }) => columns?.outcome ?? null),
      of(({ columns }) => columns?.severity ?? null),
    ],
  );
}
