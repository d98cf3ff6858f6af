import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { linesOf } from '../db/archive-lines.ts';
import { connectForAudit } from '../db/audit-connection.ts';
import { sealedRows } from '../db/audit-rows.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { createColdRows } from '../db/cold-rows.ts';
import { coldStorage } from '../db/cold-storage.ts';
import {
  contentsOf,
  dropMonth,
  freezeMonth,
  idsOf,
  isBackupRunning,
  keepArrivals,
  keptFrom,
  type MonthTable,
  monthTable,
  restHolds,
  tableOf,
} from '../db/month-tables.ts';
import type { Tx } from '../db/sql.ts';
import type { ColdMonth } from '../domain/cold-month.ts';
import { ArchiveError, openExportFolder } from './archive-folder.ts';
import { createAuditExport } from './audit-export.ts';
import { alone, type ColdDeps, type ColdRequest, changeColdStorage, genuineBy } from './cold-work.ts';
import { lineOf } from './export-files.ts';

export interface ArchiveRequest extends ColdRequest {
  /** `YYYY-MM`, or `past`: everything from before the log had months. */
  month: string;
}

export interface Archived extends ColdMonth {
  /** It was in cold storage before, in this very folder. */
  already: boolean;
}

type Contents = Awaited<ReturnType<typeof contentsOf>>;

/**
 * Takes a month of the audit log to cold storage: writes it as an export, reads that back and compares it with the
 * database, and only then records it and drops its table, in one transaction. Whatever dies in between leaves the
 * database as it was, and the same call goes on with the folder that is there.
 */
export function createAuditArchive(deps: ColdDeps) {
  const { db, owner, auditKey, publisher } = deps;

  /** @throws ArchiveError, whose message says what to do; errors of the database and the file system */
  function archive(request: ArchiveRequest): Promise<Archived> {
    return alone(deps, async () => {
      const { months } = await coldStorage(db.fork(), genuineBy(auditKey));
      const before = months.find(({ month }) => month === request.month);
      if (before !== undefined) return { ...before, already: await isArchiveIn(before, request.dir) };
      const table = await tableToArchive(request.month);
      const contents = await contentsOf(owner.fork(), table);
      assertComplete(table, contents);
      if (await isBackupRunning(owner.fork())) throw new ArchiveError(BACKUP_RUNS);
      const manifestSha256 = await written(request, contents);
      await owner.transaction((tx) => keepArrivals(tx, table));
      const { month, firstId, endId } = table;
      const { entries, from, to } = contents;
      const cold = { month, from, to, firstId, endId, entries, manifestSha256 };
      await changeColdStorage(
        deps,
        'archived',
        cold,
        { before: (tx) => assertUnchanged(tx, table, contents), last: (tx) => dropMonth(tx, table) },
        request,
      );
      return { ...cold, already: false };
    });
  }

  /** @throws ArchiveError when it is in cold storage in another folder */
  async function isArchiveIn({ month, manifestSha256 }: ColdMonth, dir: string): Promise<true> {
    const signer = { origin: await auditOrigin(db.fork()), signer: publisher.signer };
    const there = await openExportFolder(dir, signer).catch(() => undefined);
    if (there?.manifestSha256 === manifestSha256 && there.damagedFrom === null) return true;
    throw new ArchiveError(
      `${month} is in cold storage already, in the folder whose manifest has the SHA-256 ${manifestSha256}.`,
    );
  }

  async function tableToArchive(month: string): Promise<MonthTable> {
    const kept = await keptFrom(owner.fork());
    const table = await monthTable(owner.fork(), month);
    const ids = table ?? (month === 'past' ? undefined : await idsOf(owner.fork(), month));
    if (ids !== undefined && ids.endId > kept.id) {
      throw new ArchiveError(
        `${month} is too young: months before ${kept.month} can be archived, so that the present and the last one stay.`,
      );
    }
    if (table !== undefined) return table;
    const past = await monthTable(owner.fork(), 'past');
    if (ids !== undefined && past !== undefined && ids.firstId < past.endId) {
      throw new ArchiveError(
        `${month} lies in one table with everything from before the log had months: archive that with --month past.`,
      );
    }
    if (ids !== undefined && (await restHolds(owner.fork(), ids))) {
      throw new ArchiveError(
        `${month} never had a table of its own: its entries lie in audit_entry_rest and stay in the database.`,
      );
    }
    throw new ArchiveError(`The log has no entries of ${month}: it has no table ${tableOf(month)}.`);
  }

  /**
   * The folder of the month: a new one, or a finished one of an earlier run.
   *
   * @returns the digest of its manifest
   */
  async function written(request: ArchiveRequest, contents: Contents): Promise<string> {
    const { dir, signal, threads, onProgress } = request;
    const { from, to } = contents;
    const there = await readdir(dir).catch(() => []);
    const earlier = there.length === 0 ? undefined : await earlierFolder(request, contents);
    const published = await publisher.evidence({ signal });
    const cover = published.checkpoints.map(({ size }) => size).filter((size) => size >= to);
    if (cover.length === 0) {
      throw new ArchiveError(
        `No published checkpoint covers entry ${to - 1} yet: publish one with \`tradeguard audit checkpoint\` first.`,
      );
    }
    const verified = await createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      ...{ published, from, to: Math.min(...cover), ...(threads ? { threads } : {}), ...(signal ? { signal } : {}) },
      onProgress: ({ head, total }) =>
        onProgress?.({ phase: 'verify', done: head.seq + 1 - from, total: total - from }),
    });
    if (!verified.valid) {
      const place = verified.firstInvalidSeq === null ? '' : ` at entry ${verified.firstInvalidSeq}`;
      throw new ArchiveError(
        `Not archived, since the log is not sound: ${verified.reason}${place}. Treat it as an incident ` +
          '(docs/INCIDENT_RESPONSE.md#6-audit-violation): evidence stays where it is.',
      );
    }
    const verification = { ...verified, checked: to - from };
    if (earlier === undefined) {
      await createAuditExport(deps).writeFolder({
        ...{ dir, from, to, verification, pending: false, archives: [], signal },
        onLines: (done) => onProgress?.({ phase: 'write', done, total: to - from }),
      });
    }
    return compared(request, contents);
  }

  /** A folder that an earlier run finished, before it could drop the month. Its lines are compared as a new one's are. */
  async function earlierFolder({ dir, month }: ArchiveRequest, { from, to }: Contents) {
    const signer = { origin: await auditOrigin(db.fork()), signer: publisher.signer };
    const there = await openExportFolder(dir, signer).catch(() => undefined);
    if (there?.manifest.from === from && there.manifest.to === to && there.manifest.verification.valid) return there;
    throw new ArchiveError(
      `${dir} has something in it that is not the finished archive of ${month}: ` +
        'remove it, or name a folder that does not exist yet.',
    );
  }

  /** Reads the folder back and holds every line against the database. @returns the digest of the manifest */
  async function compared({ dir, signal, onProgress }: ArchiveRequest, { from, to }: Contents): Promise<string> {
    const origin = await auditOrigin(db.fork());
    const { files, manifestSha256, damagedFrom } = await openExportFolder(dir, { origin, signer: publisher.signer });
    const differs = (seq: number) =>
      new ArchiveError(
        `${dir} does not hold what the database has at entry ${seq}: remove it and run the command again.`,
      );
    if (damagedFrom !== null) throw differs(damagedFrom);
    const { months } = await coldStorage(db.fork(), genuineBy(auditKey));
    const client = await connectForAudit(db.databaseUrl);
    let next = from;
    try {
      for (const file of files) {
        if (file.from !== next) throw differs(next);
        const end = file.from + file.count;
        const lines = linesOf(join(dir, file.name));
        const cold = await createColdRows(client, { from: next, to: end }, { months, folders: [] });
        for await (const row of sealedRows(client, { from: next, to: end })) {
          const { value, done } = await lines.next();
          if (done || `${value}\n` !== lineOf(await cold.complete(row))) throw differs(next);
          next += 1;
          if (next % 1024 !== 0) continue;
          signal?.throwIfAborted();
          onProgress?.({ phase: 'check', done: next - from, total: to - from });
        }
        if (!(await lines.next()).done || next !== end) throw differs(next);
      }
    } finally {
      await client.end();
    }
    if (next !== to) throw differs(next);
    onProgress?.({ phase: 'check', done: to - from, total: to - from });
    return manifestSha256;
  }

  return { archive };
}

const BACKUP_RUNS = 'A backup runs, and reads the table of the month: run the command again when it has ended.';

function assertComplete({ month }: MonthTable, { entries, sealed }: Contents): void {
  if (entries === 0) throw new ArchiveError(`The log has no entries of ${month}.`);
  if (sealed < entries) {
    throw new ArchiveError(
      `${entries - sealed} entries of ${month} are not sealed yet: see to the sealer (\`tradeguard doctor\`) first.`,
    );
  }
}

/** Under a lock that keeps writers away: the month is what was written into the folder. */
async function assertUnchanged(tx: Tx, table: MonthTable, contents: Contents): Promise<void> {
  await freezeMonth(tx, table);
  if (await isBackupRunning(tx)) throw new ArchiveError(BACKUP_RUNS);
  const now = await contentsOf(tx, table);
  assertComplete(table, now);
  if (now.entries !== contents.entries || now.from !== contents.from || now.to !== contents.to) {
    throw new ArchiveError(`Entries came to ${table.month} meanwhile: remove the folder and run the command again.`);
  }
}
