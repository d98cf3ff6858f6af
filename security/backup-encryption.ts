import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Kek } from './kek.ts';
import { lengthPrefixed } from './length-prefix.ts';

/**
 * Encryption of a backup file. Its random data key is wrapped directly under the master key-encryption key and stands in
 * the file itself, since a backup has to open when the database with the keyring is gone.
 *
 * The content is a STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015; the same construction as age): chunks of 64 KiB under
 * AES-256-GCM, the nonce is the chunk's number and a flag on the last one. So a chunk that is altered, left out, moved or
 * taken from another backup, and a file that ends early or goes on, are all refused. Nothing is handed out unverified.
 *
 *     magic(8) ‖ headerLength(4, big-endian) ‖ header(JSON) ‖ chunk(65,536 + 16) ... ‖ lastChunk(0..65,536 + 16)
 */
const MAGIC = Buffer.from('TGBKUP1\n', 'latin1');
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const MAX_HEADER_BYTES = 4_096;

/** The data key as it stands in the file and in the manifest: JSON without secrets. */
export interface WrappedBackupKey {
  /** base64url, present when the KEK comes from a passphrase. */
  salt?: string;
  /** PBKDF2-SHA256 rounds, present with the salt. */
  iterations?: number;
  /** base64url(nonce12 ‖ ciphertext32 ‖ tag16), AES-256-GCM. */
  wrapped: string;
}

/** `wrong_key`: the master key is not the one that wrapped this backup; `corrupt`: the file is not as it was written. */
export class BackupCipherError extends Error {
  override readonly name = 'BackupCipherError';
  readonly code: 'wrong_key' | 'corrupt';

  constructor(code: 'wrong_key' | 'corrupt', message: string) {
    super(message);
    this.code = code;
  }
}

/** One backup's data key, opened. */
export interface BackupKey {
  readonly backupId: string;
  readonly record: WrappedBackupKey;
  /** HMAC-SHA256 (32 bytes) of the manifest's text: whoever cannot open the backup cannot forge its manifest. */
  manifestMac(text: string): Buffer;
  /** The key of the chunks behind exactly this header. */
  streamKey(header: Uint8Array): KeyObject;
}

/** Draws a data key for one backup and wraps it under the current KEK. */
export async function createBackupKey(kek: Kek, backupId: string): Promise<BackupKey> {
  const { key: wrappingKey, parameters } = await kek.current();
  const dataKey = randomBytes(KEY_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
  cipher.setAAD(keyAad(backupId));
  const sealed = Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
  return keyFrom(backupId, { ...parameters, wrapped: sealed.toString('base64url') }, dataKey);
}

/**
 * Opens a wrapped data key with the current or a previous KEK.
 * @throws BackupCipherError `wrong_key`; KekError for derivation parameters out of range
 */
export async function openBackupKey(kek: Kek, backupId: string, record: WrappedBackupKey): Promise<BackupKey> {
  const sealed = Buffer.from(record.wrapped, 'base64url');
  const { salt, iterations } = record;
  const parameters = { ...(salt === undefined ? {} : { salt }), ...(iterations === undefined ? {} : { iterations }) };
  for await (const { key } of kek.candidates(parameters)) {
    const dataKey = unwrap(key, backupId, sealed);
    if (dataKey) return keyFrom(backupId, record, dataKey);
  }
  throw new BackupCipherError(
    'wrong_key',
    `the master key does not open backup ${backupId}: it was made under another ENCRYPTION_PASSPHRASE or ENCRYPTION_KEY, or its key record was altered`,
  );
}

/** Encrypts a backup's content. Holds one chunk in memory, whatever the size. */
export async function* sealBackup(
  key: BackupKey,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, undefined> {
  const header = Buffer.from(JSON.stringify({ v: 1, id: key.backupId, key: key.record }), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  yield Buffer.concat([MAGIC, length, header]);
  const streamKey = key.streamKey(header);
  let chunk = 0;
  // The last chunk carries the flag, so a full one is sent only when more has come.
  for await (const { piece, isLast } of pieces(content, CHUNK_BYTES)) {
    const cipher = createCipheriv('aes-256-gcm', streamKey, nonceOf(chunk, isLast));
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
    chunk += 1;
  }
}

/**
 * Decrypts a backup file chunk by chunk.
 *
 * @param backupId which backup the file has to be
 * @param wrappedKey the key its manifest names: two attempts at one backup have the same id and different keys
 * @throws BackupCipherError while reading, at the first byte that is not as it was written
 */
export async function* openBackup(
  kek: Kek,
  backupId: string,
  file: AsyncIterable<Uint8Array>,
  wrappedKey?: string,
): AsyncGenerator<Buffer, void, undefined> {
  const source = file[Symbol.asyncIterator]();
  try {
    const { header, rest } = await readHeader(source);
    const record = keyRecordIn(header, backupId);
    if (wrappedKey !== undefined && record.wrapped !== wrappedKey) {
      throw new BackupCipherError('corrupt', 'the backup file is not the one that its manifest was made with');
    }
    const key = await openBackupKey(kek, backupId, record);
    const streamKey = key.streamKey(header);
    let chunk = 0;
    for await (const { piece, isLast } of pieces(continued(rest, source), CHUNK_BYTES + TAG_BYTES)) {
      yield openChunk(streamKey, piece, chunk, isLast);
      chunk += 1;
    }
  } finally {
    await source.return?.();
  }
}

function openChunk(key: KeyObject, piece: Buffer, chunk: number, isLast: boolean): Buffer {
  const plain = tryOpenChunk(key, piece, chunk, isLast);
  if (plain) return plain;
  // Tells an operator which of the two it is; either way nothing of the chunk gets out.
  const isOtherKind = tryOpenChunk(key, piece, chunk, !isLast) !== undefined;
  const how = isOtherKind ? (isLast ? 'ends early' : 'goes on behind its end') : `was altered in chunk ${chunk}`;
  throw new BackupCipherError('corrupt', `the backup file ${how}`);
}

function tryOpenChunk(key: KeyObject, piece: Buffer, chunk: number, isLast: boolean): Buffer | undefined {
  if (piece.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(chunk, isLast), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(piece.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(piece.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Cuts a stream into pieces of `size` bytes and tells the last one, which is shorter or full, and empty for no content. */
async function* pieces(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ piece: Buffer; isLast: boolean }> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of source) {
    waiting.push(part);
    bytes += part.length;
    if (bytes <= size) continue;
    const all = Buffer.concat(waiting);
    let at = 0;
    // Strictly more: a full piece may still turn out to be the last.
    for (; all.length - at > size; at += size) yield { piece: all.subarray(at, at + size), isLast: false };
    waiting = [all.subarray(at)];
    bytes = all.length - at;
  }
  yield { piece: Buffer.concat(waiting), isLast: true };
}

async function readHeader(source: AsyncIterator<Uint8Array>): Promise<{ header: Buffer; rest: Buffer }> {
  const notOurs = (why: string) => new BackupCipherError('corrupt', `this is no backup file: ${why}`);
  let read = Buffer.alloc(0);
  const need = async (bytes: number) => {
    while (read.length < bytes) {
      const next = await source.next();
      if (next.done) throw notOurs('it ends in its header');
      read = Buffer.concat([read, next.value]);
    }
  };
  await need(MAGIC.length + 4);
  if (!read.subarray(0, MAGIC.length).equals(MAGIC)) throw notOurs('it does not start like one');
  const length = read.readUInt32BE(MAGIC.length);
  if (length > MAX_HEADER_BYTES) throw notOurs('its header is too long');
  const end = MAGIC.length + 4 + length;
  await need(end);
  return { header: read.subarray(MAGIC.length + 4, end), rest: read.subarray(end) };
}

function keyRecordIn(header: Buffer, backupId: string): WrappedBackupKey {
  let parsed: { v?: unknown; id?: unknown; key?: Partial<Record<keyof WrappedBackupKey, unknown>> };
  try {
    parsed = JSON.parse(header.toString('utf8'));
  } catch {
    throw new BackupCipherError('corrupt', 'the header of the backup file was altered');
  }
  if (parsed.id !== backupId) throw new BackupCipherError('corrupt', `the file is not that of backup ${backupId}`);
  const { wrapped, salt, iterations } = parsed.key ?? {};
  if (parsed.v !== 1 || typeof wrapped !== 'string') {
    throw new BackupCipherError('corrupt', 'the header of the backup file was altered, or is of a later version');
  }
  return {
    wrapped,
    ...(typeof salt === 'string' ? { salt } : {}),
    ...(typeof iterations === 'number' ? { iterations } : {}),
  };
}

async function* continued(first: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function unwrap(kek: KeyObject, backupId: string, sealed: Buffer): Buffer | undefined {
  if (sealed.length !== NONCE_BYTES + KEY_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', kek, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(keyAad(backupId));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function keyFrom(backupId: string, record: WrappedBackupKey, dataKey: Buffer): BackupKey {
  const secret = createSecretKey(dataKey);
  dataKey.fill(0);
  const derive = (use: string, context: Uint8Array = Buffer.alloc(0)) =>
    createSecretKey(
      Buffer.from(hkdfSync('sha256', secret, '', lengthPrefixed(['tradeguard-backup/v1', use, context]), KEY_BYTES)),
    );
  const macKey = derive('manifest');
  return {
    backupId,
    record,
    manifestMac: (text) => createHmac('sha256', macKey).update(text).digest(),
    // The header is part of the key: altering a byte of it makes every chunk unreadable.
    streamKey: (header) => derive('stream', createHash('sha256').update(header).digest()),
  };
}

function keyAad(backupId: string): Buffer {
  return lengthPrefixed(['tradeguard-backup-key/v1', backupId]);
}

/** 11 bytes of the chunk's number, big-endian, and 1 on the last chunk. The key is used for one file only. */
function nonceOf(chunk: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(chunk), 3);
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
  return nonce;
}
