import { randomUUID } from 'node:crypto';
import { link, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { canonicalJson } from '../security/canonical-json.ts';
import { ENTRIES_FILE, type EvidenceBundle } from './evidence-bundle.ts';
import { assertEmpty, ExportError, PRIVATE_FOLDER, store } from './export-files.ts';

/** How a bundle in one file is named. */
export const DOCUMENT_SUFFIX = '.json.gz';

/** The bundle in one file: gzipped canonical JSON with every file of its folder, byte for byte. */
export function documentOf({ files }: Pick<EvidenceBundle, 'files'>): Buffer {
  const listed = [...files].map(([name, content]) =>
    name === ENTRIES_FILE ? { name, base64: content.toString('base64') } : { name, text: content.toString('utf8') },
  );
  return gzipSync(canonicalJson({ format: 'tradeguard-evidence/v1', files: listed }));
}

/**
 * Writes a bundle: into one file where the name ends like one, else into a folder that is made. It takes its name when it
 * is complete, and takes nobody else's.
 *
 * @param beforeNamed called when everything is on the disk: whoever takes evidence out of the log is in it, before he has it
 * @throws ExportError when the name is taken
 */
export async function writeBundle(
  out: string,
  bundle: Pick<EvidenceBundle, 'files'>,
  beforeNamed: () => Promise<void>,
): Promise<void> {
  const isDocument = out.endsWith(DOCUMENT_SUFFIX);
  // Of its own: two at once for one name spoil nothing of each other's.
  const unfinished = `${out}.${randomUUID()}.unfinished`;
  try {
    await mkdir(dirname(out), { recursive: true });
    if (isDocument) await store(unfinished, documentOf(bundle));
    else {
      await mkdir(join(unfinished, 'checkpoints'), { recursive: true, mode: PRIVATE_FOLDER });
      for (const [name, content] of bundle.files) await store(join(unfinished, name), content);
    }
    await beforeNamed();
    if (isDocument) await link(unfinished, out);
    else await rename(unfinished, out);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOTEMPTY' || code === 'ENOTDIR') throw taken(out);
    throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** To be asked before the work begins. @throws ExportError when something has the name already */
export async function assertFree(out: string): Promise<void> {
  if (!out.endsWith(DOCUMENT_SUFFIX)) return assertEmpty(out);
  const there = await stat(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ExportError(`${out} cannot be written: ${error.code}.`);
  });
  if (there !== undefined) throw taken(out);
}

const taken = (out: string) => new ExportError(`${out} exists already: name something that does not.`);
