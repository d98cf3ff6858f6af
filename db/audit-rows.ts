import type { ClientBase } from 'pg';
import { uuidFromHex } from '../security/uuid.ts';
import { END_OF_ROWS, FIELD, fieldsOf, findFields, type RowFields, smallInteger } from './audit-row-fields.ts';
import { copyOut } from './copy-out.ts';
import { createTimeText, type TimeText } from './postgres-time.ts';

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

/** Sequence numbers: from the one to the other, exclusive, or those of a list. */
export type RowChoice = { from: number; to: number } | { seqs: readonly number[] };

/**
 * Streams sealed rows in their order, in PostgreSQL's binary format: a third of the bytes of the text
 * format, and nothing to parse but lengths (PostgreSQL manual, COPY, "Binary Format").
 *
 * @throws errors of the connection, which must not be used by others meanwhile
 */
export async function* sealedRows(client: ClientBase, choice: RowChoice): AsyncGenerator<SealedRow> {
  const rowOf = createRowDecoder();
  for await (const rows of sealedRowsByChunk(client, choice)) {
    for (let row = rows.next(); row !== undefined; row = rows.next()) yield rowOf(row);
  }
}

/** Rows one after the other, as they arrived. What `next` returns is good until it is called again. */
export interface RowCursor {
  next(): RowFields | undefined;
}

/**
 * The same by what arrived at once, since waiting for every row by itself would cost as much as hashing it, and as bytes, since
 * making objects of them costs more than that.
 */
export async function* sealedRowsByChunk(client: ClientBase, choice: RowChoice): AsyncGenerator<RowCursor> {
  const fields = fieldsOf(Buffer.alloc(0));
  let messages: readonly Buffer[] = [];
  let index = 0;
  let isBegun = false;
  const cursor: RowCursor = {
    next() {
      const message = messages[index];
      if (message === undefined) return undefined;
      index += 1;
      const at = isBegun ? 0 : HEADER_BYTES;
      isBegun = true;
      // The header came by itself.
      if (at === message.length) return cursor.next();
      fields.bytes = message;
      const end = findFields(fields, at);
      if (end === END_OF_ROWS) return undefined;
      if (end !== message.length) throw new Error('a message of COPY is not a row');
      return fields;
    },
  };
  for await (messages of copyOut(client, sealedRowsCopy(choice))) {
    index = 0;
    yield cursor;
  }
}

/** Makes objects of rows. */
export function createRowDecoder(): (row: RowFields) => SealedRow {
  // Each of a column of its own, whose times follow each other.
  const [sealedAt, writtenAt] = [createTimeText(), createTimeText()];

  return ({ bytes, from, to }) => {
    /** Of a field that is there. */
    function read<T>(field: number, value: (begin: number, end: number) => T): T | null {
      const begin = from[field] ?? 0;
      const end = to[field] ?? -1;
      return end < begin ? null : value(begin, end);
    }
    const view = (field: number) => read(field, (begin, end) => bytes.subarray(begin, end));
    const required = (field: number) => view(field) ?? Buffer.alloc(0);
    const text = (field: number) => read(field, (begin, end) => bytes.toString('utf8', begin, end));
    const uuid = (field: number) => read(field, (begin, end) => uuidFromHex(bytes.toString('hex', begin, end)));
    // Most numbers are exact without a BigInt, which is slow.
    const count = (field: number) =>
      read(field, (begin) => String(smallInteger(bytes, begin) ?? bytes.readBigInt64BE(begin))) ?? '';
    const time = (field: number, { room, write }: TimeText) =>
      read(field, (begin) => room.toString('latin1', 0, write(bytes, begin)));
    return {
      seq: Number(count(FIELD.seq)),
      entryId: uuid(FIELD.entryId) ?? '',
      prevHash: required(FIELD.prevHash),
      hash: required(FIELD.hash),
      leafHash: required(FIELD.leafHash),
      sealMac: required(FIELD.sealMac),
      horizon: text(FIELD.horizon),
      sealedAt: time(FIELD.sealedAt, sealedAt) ?? '',
      stored: {
        id: uuid(FIELD.id),
        at: time(FIELD.at, writtenAt),
        action: text(FIELD.action),
        actor: text(FIELD.actor),
        subject: text(FIELD.subject),
        outcome: text(FIELD.outcome),
        severity: text(FIELD.severity),
      },
      n: count(FIELD.n),
      era: read(FIELD.era, (begin) => String(bytes.readInt32BE(begin))) ?? '',
      xid: count(FIELD.xid),
      entry: text(FIELD.entry),
      entryHmac: view(FIELD.entryHmac),
    };
  };
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
