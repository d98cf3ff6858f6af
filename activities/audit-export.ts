import { createHash, type KeyObject } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ArchiveFolder } from '../db/archive-lines.ts';
import type { AuditLog } from '../db/audit.ts';
import { connectForAudit } from '../db/audit-connection.ts';
import { sealedRows } from '../db/audit-rows.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { compactRangeAt, headAt, sealedSize } from '../db/audit-tree.ts';
import { createAuditVerifier, type Verification } from '../db/audit-verify.ts';
import { createColdRows } from '../db/cold-rows.ts';
import { coldStorage, HOLD_COLD_STORAGE } from '../db/cold-storage.ts';
import type { Database } from '../db/orm.ts';
import { rows } from '../db/sql.ts';
import type { ColdMonth } from '../domain/cold-month.ts';
import { createCompactRange } from '../security/merkle.ts';
import { createHmacCheck } from '../security/sha256.ts';
import { readPublished } from './checkpoint-places.ts';
import type { CheckpointPublisher } from './checkpoint-publisher.ts';
import {
  assertEmpty,
  ExportError,
  findingOf,
  lineOf,
  MAX_PENDING,
  PIECE_LINES,
  PRIVATE_FILE,
  PRIVATE_FOLDER,
  signedManifest,
  store,
  syncFolder,
} from './export-files.ts';

/** Lines of a file; files begin at multiples of it. */
const FILE_LINES = 65_536;
const PARTS = ['entries', 'checkpoints'];

export interface ExportRequest {
  /** Folder that is made. */
  dir: string;
  /** First sequence number, and the one behind the last. Everything where they are left out. */
  from?: number;
  to?: number;
  /** Texts of months in cold storage. What is in none of these folders is exported as a seal without its text. */
  archives?: readonly ArchiveFolder[];
  threads?: number;
  onProgress?: (progress: { phase: 'verify' | 'write'; done: number; total: number }) => void;
  signal?: AbortSignal;
}

/** What is written of a log that was verified before. */
export interface FolderRequest {
  dir: string;
  from: number;
  to: number;
  verification: Verification;
  /** Whether entries that wait for their seal are told of. */
  pending: boolean;
  archives: readonly ArchiveFolder[];
  signal?: AbortSignal | undefined;
  onLines: (done: number) => void;
  /** Called when everything is written, before the folder has its name. */
  beforeFinish?: (written: { manifestSha256: string; origin: string }) => Promise<void>;
}

export interface Exported {
  from: number;
  to: number;
  checkpoints: number;
  verification: Verification;
  manifestSha256: string;
  /** To pin: an auditor compares it with what he got elsewhere. */
  verifierKey: string;
}

interface WrittenFile {
  name: string;
  from: number;
  count: number;
  bytes: number;
  sha256: string;
}

/**
 * Writes entries with everything that an auditor needs to verify them without the database (docs/audit-verification.md has
 * the format). What the holder of the audit key finds in them is signed with it, also when the log is not sound: an
 * export is evidence then.
 */
export function createAuditExport(deps: {
  db: Database;
  audit: AuditLog;
  auditKey: KeyObject;
  publisher: CheckpointPublisher;
}) {
  const { db, audit, auditKey, publisher } = deps;
  const { signer, places } = publisher;

  /** @throws ExportError for a folder that has something in it or a range that the log does not have; errors of the database */
  async function exportTo(request: ExportRequest): Promise<Exported> {
    const { dir, threads, signal, onProgress, archives = [] } = request;
    await assertEmpty(dir);
    const published = await publisher.evidence({ signal });
    const logSize = await sealedSize(db.fork());
    const { from, to } = rangeOf(request, logSize);
    const isWhole = from === 0 && to === logSize;
    const verification = await createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      ...{
        published,
        archives,
        ...(isWhole ? {} : { from, to }),
        ...(threads ? { threads } : {}),
        ...(signal ? { signal } : {}),
      },
      onProgress: ({ head, total }) =>
        onProgress?.({ phase: 'verify', done: head.seq + 1 - from, total: total - from }),
    });
    const written = await writeFolder({
      ...{ dir, from, to, verification, pending: true, archives, signal },
      onLines: (done) => onProgress?.({ phase: 'write', done, total: to - from }),
      // Whoever takes entries out of the log is in it, before he has them.
      beforeFinish: (made) => record({ from, to, verification, ...made }),
    });
    return { from, to, verification, ...written };
  }

  /** @throws ExportError for a folder that has something in it; errors of the database and the file system: nothing is left */
  async function writeFolder(request: FolderRequest) {
    const { dir, from, to, verification, signal } = request;
    const unfinished = `${dir}.unfinished`;
    await assertEmpty(dir);
    await rm(unfinished, { recursive: true, force: true });
    try {
      for (const folder of ['', ...PARTS]) {
        await mkdir(join(unfinished, folder), { recursive: true, mode: PRIVATE_FOLDER });
      }
      const { archived, ...written } = await writeEntries(unfinished, request);
      const checkpoints = await writeCheckpoints(join(unfinished, 'checkpoints'), signal);
      const origin = await auditOrigin(db.fork());
      const { sha256: manifestSha256, files } = signedManifest(
        {
          // After the checkpoints: the log is then at least as long as all of them.
          ...{ kind: 'export', from, to, logSize: await sealedSize(db.fork()), ...written, eras: await eras() },
          ...{ verification: findingOf(verification), pending: request.pending ? await pendingEntries() : [] },
          ...(archived.length > 0 ? { archived } : {}),
        },
        { origin, signer },
      );
      for (const [name, text] of Object.entries(files)) await store(join(unfinished, name), text);
      await request.beforeFinish?.({ manifestSha256, origin });
      for (const folder of [...PARTS, '']) await syncFolder(join(unfinished, folder));
      await rename(unfinished, dir);
      await syncFolder(dirname(dir));
      return { checkpoints, manifestSha256, verifierKey: signer.verifierKey(origin) };
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
  }

  async function writeEntries(dir: string, { archives, onLines, signal, ...range }: FolderRequest) {
    const hashes = range.from === 0 ? [] : await compactRangeAt(db.fork(), range.from);
    const before = await headAt(db.fork(), range.from);
    const tree = createCompactRange({ end: range.from, hashes });
    const client = await connectForAudit(db.databaseUrl);
    const files: WrittenFile[] = [];
    let archived: ColdMonth[] = [];
    let head = before;
    let done = 0;
    try {
      // Until the connection ends no month is taken out or brought back.
      await client.query(HOLD_COLD_STORAGE);
      const { months } = await coldStorage(db.fork(), createHmacCheck(auditKey));
      archived = months.filter(
        (month) =>
          month.from < range.to &&
          month.to > range.from &&
          !archives.some(({ manifestSha256 }) => manifestSha256 === month.manifestSha256),
      );
      for (let from = range.from; from < range.to; ) {
        const to = Math.min(range.to, (Math.floor(from / FILE_LINES) + 1) * FILE_LINES);
        const name = `entries/entries-${String(from).padStart(12, '0')}.ndjson.gz`;
        let count = 0;
        const cold = await createColdRows(client, { from, to }, { months, folders: archives });
        async function* lines() {
          let piece: string[] = [];
          for await (const sealed of sealedRows(client, { from, to })) {
            const row = await cold.complete(sealed);
            // Of a log with holes the tree is over what is there; that it has holes is in the finding.
            tree.push(Buffer.from(row.leafHash));
            head = Buffer.from(row.hash);
            piece.push(lineOf(row));
            count += 1;
            if (piece.length < PIECE_LINES) continue;
            yield piece.join('');
            piece = [];
            signal?.throwIfAborted();
            onLines(done + count);
          }
          yield piece.join('');
        }
        const { bytes, sha256 } = await writeCompressed(join(dir, name), lines()).finally(() => cold.close());
        signal?.throwIfAborted();
        done += count;
        onLines(done);
        if (count > 0) files.push({ name, from, count, bytes, sha256 });
        else await rm(join(dir, name));
        from = to;
      }
    } finally {
      await client.end();
    }
    return {
      start: { prevHash: before.toString('hex'), range: hashes.map((hash) => hash.toString('hex')) },
      head: head.toString('hex'),
      root: tree.root().toString('hex'),
      files,
      archived,
    };
  }

  async function writeCheckpoints(dir: string, signal: AbortSignal | undefined): Promise<number> {
    const { published } = await readPublished(places, { signal });
    // The first place that has one decides; what another has otherwise was found by the verification.
    const byName = new Map(published.toReversed().map(({ name, note }) => [name, note]));
    for (const [name, note] of byName) await store(join(dir, name), note);
    return byName.size;
  }

  function eras(): Promise<{ era: number; cluster: string; startedAt: string }[]> {
    return rows(
      db.fork(),
      `select era, cluster, to_char(started_at at time zone 'UTC', '${MICROSECONDS}') as "startedAt" from audit_era order by era`,
    );
  }

  async function pendingEntries() {
    const isGenuine = createHmacCheck(auditKey);
    const found = await rows<{ id: string; entry: string; entry_hmac: Buffer }>(
      db.fork(),
      `select id, entry, entry_hmac from audit_pending('0', 0, ${MAX_PENDING})`,
    );
    return found.map(({ id, entry, entry_hmac: mac }) => ({
      ...{ id, entry, entryHmac: mac.toString('hex'), genuine: isGenuine(entry, mac) },
    }));
  }

  function record(exported: {
    from: number;
    to: number;
    verification: Verification;
    manifestSha256: string;
    origin: string;
  }): Promise<void> {
    const { from, to, verification, manifestSha256, origin } = exported;
    return db.transaction((tx) =>
      audit.append(tx, {
        action: 'audit.exported',
        actor: { kind: 'operator' },
        subject: { kind: 'audit_log', id: origin },
        outcome: 'success',
        details: { from, to, manifestSha256, verification: findingOf(verification) },
      }),
    );
  }

  return { exportTo, writeFolder };
}

const MICROSECONDS = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';

function rangeOf({ from = 0, to }: ExportRequest, logSize: number): { from: number; to: number } {
  const end = to ?? logSize;
  if (from > end || end > logSize) {
    throw new ExportError(`The log has the entries 0 to ${logSize - 1}: write --from and --to (exclusive) within it.`);
  }
  return { from, to: end };
}

async function writeCompressed(path: string, lines: AsyncIterable<string>): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash('sha256');
  let bytes = 0;
  await pipeline(
    Readable.from(lines),
    createGzip(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        digest.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(path, { mode: PRIVATE_FILE, flush: true }),
  );
  return { bytes, sha256: digest.digest('hex') };
}
