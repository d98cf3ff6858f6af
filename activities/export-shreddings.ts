import { createHash, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linesOf } from '../db/archive-lines.ts';
import { createHmacCheck } from '../security/sha256.ts';

/** A folder that is no export, or not all of one. The message says what is wrong. */
export class ExportFolderError extends Error {
  override readonly name = 'ExportFolderError';
}

interface ExportedEntry {
  entry: string | null;
  entryHmac: string | null;
}

/**
 * Whose keys were destroyed, as an export of the audit log says. An entry counts only when its MAC is of this
 * installation's audit key: nobody else can make the keys of others be destroyed.
 *
 * @param folder as `tradeguard audit export` writes it
 * @returns subjects, and how many entries claimed one without a right MAC
 * @throws ExportFolderError when a file of the manifest is missing or is not what the manifest says
 */
export async function shreddingsOfExport(
  folder: string,
  auditKey: KeyObject,
): Promise<{ subjects: string[]; refused: number }> {
  const isGenuine = createHmacCheck(auditKey);
  const subjects = new Set<string>();
  let refused = 0;
  const take = ({ entry, entryHmac }: ExportedEntry) => {
    if (entry === null || !entry.includes('"subject.shredded"')) return;
    const { action, subject } = JSON.parse(entry) as { action: string; subject: { id: string } };
    if (action !== 'subject.shredded') return;
    if (isGenuine(entry, Buffer.from(entryHmac ?? '', 'hex'))) subjects.add(subject.id);
    else refused += 1;
  };
  const manifest = await manifestOf(folder);
  for (const { name, sha256 } of manifest.files) {
    if ((await readLines(join(folder, name), (line) => take(JSON.parse(line)))) !== sha256) {
      throw new ExportFolderError(`${name} is not the file that the manifest of ${folder} names.`);
    }
  }
  for (const pending of manifest.pending) take(pending);
  return { subjects: [...subjects], refused };
}

async function manifestOf(folder: string) {
  const path = join(folder, 'manifest.json');
  const text = await readFile(path, 'utf8').catch(() => {
    throw new ExportFolderError(`${path} cannot be read: name a folder of \`tradeguard audit export\`.`);
  });
  const manifest = JSON.parse(text) as {
    kind: string;
    files: { name: string; sha256: string }[];
    pending: ExportedEntry[];
  };
  if (manifest.kind !== 'export') throw new ExportFolderError(`${path} is not of an export of the whole log.`);
  return manifest;
}

/** @returns SHA-256 of the compressed file, hex */
async function readLines(path: string, onLine: (line: string) => void): Promise<string> {
  const digest = createHash('sha256');
  try {
    for await (const line of linesOf(path, (bytes) => digest.update(bytes))) onLine(line);
  } catch (error) {
    throw new ExportFolderError(`${path} cannot be read: ${(error as Error).message}`);
  }
  return digest.digest('hex');
}
