import { createHash, type Hash } from 'node:crypto';
import { Transform } from 'node:stream';
import { BackupError } from '../domain/backup.ts';
import { type PostgresChild, PostgresToolError } from '../platform/postgres-child.ts';
import { BackupCipherError } from '../security/backup-encryption.ts';

/** Counts and hashes what passes. */
export function meter(onBytes?: (bytes: number) => void) {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes?.(bytes);
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ bytes, sha256: hash.digest('hex') }) };
}

/**
 * Waits for a program and for the stream through it. When both fail the program's words say more than a broken pipe; when
 * only the stream fails the program is ended by the stream that broke.
 */
export async function settled(child: PostgresChild, stream: Promise<void>): Promise<void> {
  const [program, piped] = await Promise.allSettled([child.finished, stream.finally(() => child.stdin.end())]);
  if (piped.status === 'rejected' && !isBrokenPipe(piped.reason)) throw piped.reason;
  if (program.status === 'rejected') throw program.reason;
  if (piped.status === 'rejected') throw piped.reason;
}

/** Writes into a program for as long as it takes input, and swallows the rest. */
export function lenient(child: PostgresChild) {
  return async (source: AsyncIterable<Uint8Array>): Promise<void> => {
    const { stdin } = child;
    for await (const chunk of source) {
      if (stdin.destroyed || stdin.writableEnded) continue;
      if (!stdin.write(chunk)) await Promise.race([drained(stdin), child.finished.catch(() => {})]);
    }
    stdin.end();
  };
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    stream.on('drain', done).on('close', done).on('error', done);
  });
}

function isBrokenPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(code);
}

/** Runs `work` and gives its errors in the words of backups. @throws BackupError */
export async function reached<T>(work: () => Promise<T>, code: 'dump_failed' | 'copy_failed'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw backupErrorOf(error, code);
  }
}

/** Errors of the parts in the words of backups; a cancellation stays what it is. */
export function backupErrorOf(error: unknown, otherwise: BackupError['code']): unknown {
  if (error instanceof BackupError) return error;
  if (error instanceof BackupCipherError) {
    return new BackupError(error.code === 'wrong_key' ? 'wrong_key' : 'backup_corrupt', error.message, {
      cause: error,
    });
  }
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'CancelledFailure') return error;
  if (error instanceof PostgresToolError || name === 'S3Error')
    return new BackupError(otherwise, message, { cause: error });
  // What PostgreSQL or the file system says may quote data or a path; the code tells enough.
  const what = code === undefined ? name : `${name} ${code}`;
  if (code?.startsWith('Z_'))
    return new BackupError('backup_corrupt', 'the backup does not decompress', { cause: error });
  return new BackupError(otherwise, `${otherwise.replaceAll('_', ' ')} (${what})`, { cause: error });
}
