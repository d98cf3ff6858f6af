import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import type { SealedRow } from './audit-rows.ts';

const LINE_FEED = 10;

/** A line of an export or archive, as docs/audit-verification.md describes it. Hashes are hex. */
export interface ExportLine {
  seq: number;
  entry: string | null;
  prevHash: string;
  hash: string;
  leafHash: string;
  entryHmac: string | null;
  id: string;
  n: string;
  era: number;
  xid: string;
  sealedAt: string;
  horizon: string | null;
  sealHmac: string;
  columns: SealedRow['stored'] | null;
}

/** An archive folder whose manifest is the one that the log names. Plain data: it travels between threads. */
export interface ArchiveFolder {
  dir: string;
  /** Hex. */
  manifestSha256: string;
  /** In the order of their lines. */
  files: readonly { name: string; from: number; count: number }[];
  /** The first number of the first file that is not as it was written; null when all are. */
  damagedFrom: number | null;
}

/**
 * The lines of a gzipped file, without their line feeds. Nothing else ends a line: texts may hold U+2028.
 *
 * @param onBytes given the compressed bytes as they are read
 * @throws errors of the file system and of zlib
 */
export async function* linesOf(path: string, onBytes?: (bytes: Buffer) => void): AsyncGenerator<string> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const unpacked = createGunzip({ chunkSize: 256 * 1024 });
  if (onBytes) file.on('data', (bytes) => onBytes(bytes as Buffer));
  file.once('error', (error) => unpacked.destroy(error)).pipe(unpacked);
  let rest: Buffer[] = [];
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      let at = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, at)) {
        rest.push(chunk.subarray(at, end));
        yield Buffer.concat(rest).toString('utf8');
        rest = [];
        at = end + 1;
      }
      if (at < chunk.length) rest.push(chunk.subarray(at));
    }
    if (rest.length > 0) yield Buffer.concat(rest).toString('utf8');
  } finally {
    file.destroy();
    unpacked.destroy();
  }
}

/** Reads lines of archive folders by their sequence numbers, which have to ascend from call to call. */
export function createArchiveReader(folders: readonly ArchiveFolder[]) {
  const open = new Map<string, { file: string; lines: AsyncGenerator<string>; next: ExportLine | undefined }>();

  async function advance(lines: AsyncGenerator<string>): Promise<ExportLine | undefined> {
    try {
      const { value, done } = await lines.next();
      return done ? undefined : (JSON.parse(value) as ExportLine);
    } catch (error) {
      // A folder that cannot be read at all is a fault of this machine; what is in it may be anybody's.
      const { code = '' } = error as NodeJS.ErrnoException;
      if (error instanceof SyntaxError || code.startsWith('Z_')) return undefined;
      throw error;
    }
  }

  return {
    /**
     * @returns `no_folder` when none has that manifest; undefined when the folder has no such line, or none that can be read
     * @throws errors of the file system
     */
    async lineOf(manifestSha256: string, seq: number): Promise<ExportLine | 'no_folder' | undefined> {
      const folder = folders.find((one) => one.manifestSha256 === manifestSha256);
      if (folder === undefined) return 'no_folder';
      const file = folder.files.findLast(({ from }) => from <= seq);
      if (file === undefined) return undefined;
      const path = join(folder.dir, file.name);
      let cursor = open.get(folder.dir);
      if (cursor?.file !== path) {
        await cursor?.lines.return(undefined);
        const lines = linesOf(path);
        cursor = { file: path, lines, next: await advance(lines) };
        open.set(folder.dir, cursor);
      }
      while (cursor.next !== undefined && cursor.next.seq < seq) cursor.next = await advance(cursor.lines);
      return cursor.next?.seq === seq ? cursor.next : undefined;
    },

    async close(): Promise<void> {
      for (const { lines } of open.values()) await lines.return(undefined);
    },
  };
}
