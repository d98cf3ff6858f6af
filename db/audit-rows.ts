import type { ClientBase } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { uuidFromHex } from '../security/uuid.ts';

/** A seal with its entry, as the tables hold them. Buffers are views that are good until the next row. */
export interface SealedRow {
  seq: number;
  entryId: string;
  prevHash: Buffer;
  hash: Buffer;
  leafHash: Buffer;
  sealMac: Buffer;
  horizon: string | null;
  sealedAt: string;
  /** Null where a seal has no entry any more. */
  entry: string | null;
  entryHmac: Buffer | null;
  /** Decimal text, as the seal's MAC covers them; of an entry that is gone n and xid are empty, and era is the seal's. */
  n: string;
  era: string;
  xid: string;
  stored: {
    id: string | null;
    at: string | null;
    action: string | null;
    actor: string | null;
    subject: string | null;
    outcome: string | null;
    severity: string | null;
  };
  /**
   * Of an entry in cold storage. `absent`: nothing but its seal is here; `read`: its text comes from an archive folder;
   * `damaged`: what the folder has in its place is not what was sealed.
   */
  cold?: 'absent' | 'read' | 'damaged';
}

/** `PGCOPY\n\377\r\n\0`, flags and the length of an extension that there is none of. */
const HEADER_BYTES = 19;
const END_OF_ROWS = -1;
/** PostgreSQL counts microseconds from 2000-01-01. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
/** `Date` ends in the year 275760 (ECMA-262 section 21.4.1.1), PostgreSQL later, and it has infinity. */
const LAST_MICROSECOND = (8.64e15 - EPOCH_MS) * 1_000;

/** Sequence numbers: from the one to the other, exclusive, or those of a list. */
export type RowChoice = { from: number; to: number } | { seqs: readonly number[] };

/**
 * Streams sealed rows in their order, in PostgreSQL's binary format: a third of the bytes of the text
 * format, and nothing to parse but lengths (PostgreSQL manual, COPY, "Binary Format").
 *
 * @throws errors of the connection, which must not be used by others meanwhile
 */
export async function* sealedRows(client: ClientBase, choice: RowChoice): AsyncGenerator<SealedRow> {
  for await (const rows of sealedRowsByChunk(client, choice)) yield* rows;
}

/** The same, by what arrived at once: waiting for every row by itself would cost as much as hashing it. */
export async function* sealedRowsByChunk(client: ClientBase, choice: RowChoice): AsyncGenerator<Iterable<SealedRow>> {
  const stream = client.query(copyTo(sealedRowsCopy(choice)));
  let rest: Buffer = Buffer.alloc(0);
  let isBegun = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    if (!isBegun) {
      if (bytes.length < HEADER_BYTES) {
        rest = bytes;
        continue;
      }
      at = HEADER_BYTES;
      isBegun = true;
    }
    const begins: number[] = [];
    for (;;) {
      const end = endOfRow(bytes, at);
      if (end === undefined) break;
      if (end === END_OF_ROWS) {
        at = bytes.length;
        break;
      }
      begins.push(at + 2);
      at = end;
    }
    yield rowsAt(bytes, begins);
    rest = bytes.subarray(at);
  }
}

/** Where the row that begins at `at` ends; undefined while a part of it is missing. */
function endOfRow(bytes: Buffer, at: number): number | undefined {
  if (at + 2 > bytes.length) return undefined;
  const fields = bytes.readInt16BE(at);
  if (fields === END_OF_ROWS) return END_OF_ROWS;
  let end = at + 2;
  for (let field = 0; field < fields; field += 1) {
    if (end + 4 > bytes.length) return undefined;
    end += 4 + Math.max(0, bytes.readInt32BE(end));
  }
  return end <= bytes.length ? end : undefined;
}

function* rowsAt(bytes: Buffer, begins: readonly number[]): Generator<SealedRow> {
  for (const begin of begins) yield rowAt(bytes, begin);
}

function rowAt(bytes: Buffer, begin: number): SealedRow {
  let at = begin;
  function next(): Buffer | null {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return bytes.subarray(at - length, at);
  }
  /** A field without a view of it, which costs more than reading it. */
  function read<T>(value: (from: number, to: number) => T): T | null {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return value(at - length, at);
  }
  const text = () => read((from, to) => bytes.toString('utf8', from, to));
  const required = () => next() ?? Buffer.alloc(0);
  const count = () => read((from) => integer(bytes, from)) ?? '';
  const time = () => read((from) => microseconds(bytes.readInt32BE(from) * 2 ** 32 + bytes.readUInt32BE(from + 4)));
  const uuid = () => read((from, to) => uuidFromHex(bytes.toString('hex', from, to)));
  return {
    seq: Number(count()),
    entryId: uuid() ?? '',
    prevHash: required(),
    hash: required(),
    leafHash: required(),
    sealMac: required(),
    horizon: text(),
    sealedAt: time() ?? '',
    stored: {
      id: uuid(),
      at: time(),
      action: text(),
      actor: text(),
      subject: text(),
      outcome: text(),
      severity: text(),
    },
    n: count(),
    era: read((from) => String(bytes.readInt32BE(from))) ?? '',
    xid: count(),
    entry: text(),
    entryHmac: next(),
  };
}

/** The decimal text of 64 bits. */
function integer(bytes: Buffer, at: number): string {
  const high = bytes.readInt32BE(at);
  // Most numbers are exact without a BigInt, which is slow.
  const isExact = high >= 0 && high < 2 ** 21;
  return isExact ? String(high * 2 ** 32 + bytes.readUInt32BE(at + 4)) : bytes.readBigInt64BE(at).toString();
}

/** The second that {@link microseconds} was last asked for: rows that follow each other mostly share it. */
let lastSecond = { at: Number.NaN, text: '' };

/**
 * RFC 3339 in UTC with exactly six digits of fraction.
 *
 * @param since2000 exact as a number until the year 2285
 * @returns `infinity`, which no entry says, for what `Date` cannot hold
 */
function microseconds(since2000: number): string {
  if (Math.abs(since2000) > LAST_MICROSECOND) return 'infinity';
  const second = Math.floor(since2000 / 1_000_000);
  if (second !== lastSecond.at) {
    lastSecond = { at: second, text: new Date(EPOCH_MS + second * 1_000).toISOString().slice(0, -'000Z'.length) };
  }
  return `${lastSecond.text}${String(since2000 - second * 1_000_000).padStart(6, '0')}Z`;
}

/** What {@link sealedRows} reads. COPY takes no parameters; these are numbers of this program. */
export const sealedRowsCopy = (choice: RowChoice): string =>
  `copy (${sealedRowsQuery(choice)}) to stdout (format binary)`;

export const sealedRowsQuery = (choice: RowChoice): string => `
  select s.seq, s.entry_id, s.prev_hash, s.hash, s.leaf_hash, s.seal_hmac, s.horizon::text, s.sealed_at,
         e.id, e.at, e.action, e.actor, e.subject, e.outcome, e.severity, e.n, coalesce(e.era, s.era), e.xid, e.entry, e.entry_hmac
    from audit_seal s left join audit_entry e on e.id = s.entry_id
   where ${conditionOf(choice)} order by s.seq`;

const conditionOf = (choice: RowChoice) =>
  'seqs' in choice
    ? `s.seq = any('{${choice.seqs.map(Number).join()}}'::bigint[])`
    : `s.seq >= ${Number(choice.from)} and s.seq < ${Number(choice.to)}`;
