import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveFolder } from '../db/archive-lines.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { coldStorage } from '../db/cold-storage.ts';
import type { Database } from '../db/orm.ts';
import type { ColdMonth } from '../domain/cold-month.ts';
import { createHmacCheck } from '../security/sha256.ts';
import { openNote } from '../security/signed-note.ts';
import type { CheckpointSigner } from './checkpoint-signer.ts';

/** A month cannot be taken out, brought back or read as asked. The message says what to do. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** An archive folder, and the month in cold storage that it is the archive of. */
export interface OpenArchive extends ArchiveFolder {
  month: ColdMonth;
}

export interface ArchiveDeps {
  db: Database;
  auditKey: KeyObject;
  signer: CheckpointSigner;
}

/**
 * Opens the archive folders of months in cold storage. Which folder is which month's is told by the digest of its
 * manifest, that the log names; the digests in there tell whether its files are as they were written.
 *
 * @throws ArchiveError for a folder that is no archive of a month in cold storage
 */
export async function openArchives({ db, auditKey, signer }: ArchiveDeps, dirs: readonly string[]) {
  const { months } = await coldStorage(db.fork(), createHmacCheck(auditKey));
  const origin = await auditOrigin(db.fork());
  const archives: OpenArchive[] = [];
  for (const dir of dirs) {
    const { manifestSha256, files, damagedFrom } = await openExportFolder(dir, { origin, signer });
    const month = months.find((one) => one.manifestSha256 === manifestSha256);
    if (month === undefined) {
      const known = months.map((one) => `${one.month} (${one.manifestSha256.slice(0, 16)}…)`).join(', ') || 'none';
      throw new ArchiveError(
        `${dir} is not the archive of a month in cold storage: its manifest is ${manifestSha256.slice(0, 16)}…. ` +
          `In cold storage: ${known}. Name the folder of one of these.`,
      );
    }
    archives.push({ dir, manifestSha256, files, damagedFrom, month });
  }
  return archives;
}

/**
 * Reads what an export says of itself: that its manifest is signed by this log, and whether its files are those of it.
 *
 * @returns `damagedFrom`: the first number of the first file that is missing or not as it was written; null when all are
 * @throws ArchiveError
 */
export async function openExportFolder(
  dir: string,
  { origin, signer }: { origin: string; signer: CheckpointSigner },
): Promise<{ manifestSha256: string; manifest: ArchiveManifest; files: ListedFile[]; damagedFrom: number | null }> {
  const manifestText = await textOf(dir, 'manifest.json');
  const manifestSha256 = createHash('sha256').update(manifestText).digest('hex');
  const statement = `tradeguard-export/v1\n${origin}\n${manifestSha256}\n`;
  if (!isSigned(await textOf(dir, 'manifest.note'), statement, signer.verifiers(origin))) {
    throw new ArchiveError(
      `The manifest of ${dir} is not signed by this log, or was changed since: take another copy of the folder.`,
    );
  }
  const manifest = JSON.parse(manifestText.toString('utf8')) as ArchiveManifest;
  if (manifest.kind !== 'export') throw new ArchiveError(`${dir} holds no entries of a month: name an archive folder.`);
  let damagedFrom: number | null = null;
  for (const { name, from, sha256 } of manifest.files) {
    if ((await digestOf(join(dir, name))) !== sha256) damagedFrom ??= from;
  }
  return { manifestSha256, manifest, files: manifest.files, damagedFrom };
}

interface ListedFile {
  name: string;
  from: number;
  count: number;
  sha256: string;
}

interface ArchiveManifest {
  kind: string;
  from: number;
  to: number;
  verification: { valid: boolean };
  files: ListedFile[];
}

async function textOf(dir: string, name: string): Promise<Buffer> {
  return readFile(join(dir, name)).catch((error: NodeJS.ErrnoException) => {
    throw new ArchiveError(`${join(dir, name)} cannot be read (${error.code}): name an archive folder.`);
  });
}

function isSigned(note: Buffer, statement: string, verifiers: Parameters<typeof openNote>[1]): boolean {
  try {
    return openNote(note.toString('utf8'), verifiers).text === statement;
  } catch {
    return false;
  }
}

/** SHA-256 in hex; null for a file that is not there. @throws other errors of the file system */
async function digestOf(path: string): Promise<string | null> {
  const digest = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) digest.update(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return digest.digest('hex');
}
