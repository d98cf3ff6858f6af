import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

/** Longest line that is taken: an entry of several megabytes is none that a server wrote. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const LINE_FEED = 10;

export interface ReadFile {
  /** Of the compressed file. */
  bytes: number;
  sha256: string;
  lines: number;
  /** What it is instead of gzipped UTF-8 lines; null when it is that. */
  problem: string | null;
}

/** A path, or the file itself. */
export type Content = string | Buffer;

const CHUNK = 256 * 1024;

function streamOf(content: Content): Readable {
  if (typeof content === 'string') return createReadStream(content, { highWaterMark: CHUNK });
  const chunks = Array.from({ length: Math.ceil(content.length / CHUNK) }, (_, n) =>
    content.subarray(n * CHUNK, (n + 1) * CHUNK),
  );
  return Readable.from(chunks, { objectMode: true });
}

/** A line's text, and its place among the lines of the file from 0. @returns false to end reading */
export type OnLine = (text: string, index: number) => boolean;

/**
 * Reads a gzipped file of lines as a stream, a megabyte at a time, and digests what it reads.
 *
 * @param onBytes told how many compressed bytes were read
 * @param maxBytes that it may unpack to
 * @throws errors of the file system, for instance ENOENT
 */
export async function readLines(
  content: Content,
  onLine: OnLine,
  onBytes: (bytes: number) => void,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<ReadFile> {
  const digest = createHash('sha256');
  const read: ReadFile = { bytes: 0, sha256: '', lines: 0, problem: null };
  const gunzip = createGunzip({ chunkSize: 1024 * 1024 });
  let rest: Buffer | null = null;
  let isDone = false;
  let unpacked = 0;

  function take(chunk: Buffer): void {
    unpacked += chunk.length;
    if (unpacked > maxBytes) throw new LineError(`larger than ${maxBytes} bytes when unpacked`);
    let from = 0;
    if (rest !== null) {
      const end = chunk.indexOf(LINE_FEED);
      if (end < 0 || rest.length + end > MAX_LINE_BYTES) {
        if (rest.length + chunk.length > MAX_LINE_BYTES) throw new LineError('of lines that are too long');
        rest = Buffer.concat([rest, chunk]);
        return;
      }
      give(Buffer.concat([rest, chunk.subarray(0, end)]));
      rest = null;
      from = end + 1;
    }
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, from);
      if (end < 0) break;
      give(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from < chunk.length) rest = Buffer.from(chunk.subarray(from));
  }

  function give(line: Buffer): void {
    if (isDone) return;
    if (!isUtf8(line)) throw new LineError(`not UTF-8 in line ${read.lines + 1}`);
    isDone = !onLine(line.toString('utf8'), read.lines);
    read.lines += 1;
  }

  try {
    await pipeline(
      streamOf(content),
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          digest.update(chunk);
          read.bytes += chunk.length;
          onBytes(chunk.length);
          yield chunk;
        }
      },
      gunzip,
      async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) take(chunk);
      },
    );
    if (rest !== null) read.problem = 'cut short within its last line';
    read.sha256 = digest.digest('hex');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!(error instanceof LineError) && !code.startsWith('Z_') && code !== 'ERR_BUFFER_TOO_LARGE') throw error;
    read.problem = error instanceof LineError ? message : `not gzip, or cut short: ${message}`;
    Object.assign(read, await digestOf(content));
  }
  return read;
}

/** The size and SHA-256 of a whole file. @throws errors of the file system */
export async function digestOf(content: Content): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of streamOf(content) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: digest.digest('hex') };
}

class LineError extends Error {}
