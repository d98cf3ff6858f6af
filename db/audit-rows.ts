import type { ClientBase } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { uuidFromBytes } from '../security/uuid.ts';

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
  /** Decimal text, as the seal's MAC covers them; empty where there is no entry. */
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
}

/** `PGCOPY\n\377\r\n\0`, flags and the length of an extension that there is none of. */
const HEADER_BYTES = 19;
const END_OF_ROWS = -1;
/** PostgreSQL counts microseconds from 2000-01-01. */
const EPOCH_MS = Date.UTC(2000, 0, 1);

/** Sequence numbers: from the one to the other, exclusive, or those of a list. */
export type RowChoice = { from: number; to: number } | { seqs: readonly number[] };

/**
 * Streams sealed rows in their order, in PostgreSQL's binary format: a third of the bytes of the text
 * format, and nothing to parse but lengths (PostgreSQL manual, COPY, "Binary Format").
 *
 * @throws errors of the connection, which must not be used by others meanwhile
 */
export async function* sealedRows(client: ClientBase, choice: RowChoice): AsyncGenerator<SealedRow> {
  const stream = client.query(copyTo(`copy (${rowsOf(choice)}) to stdout (format binary)`));
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
    for (;;) {
      const end = endOfRow(bytes, at);
      if (end === undefined) break;
      if (end === END_OF_ROWS) {
        at = bytes.length;
        break;
      }
      yield rowAt(bytes, at + 2);
      at = end;
    }
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

function rowAt(bytes: Buffer, begin: number): SealedRow {
  let at = begin;
  function next(): Buffer | null {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return bytes.subarray(at - length, at);
  }
  const text = () => next()?.toString('utf8') ?? null;
  const required = () => next() ?? Buffer.alloc(0);
  const count = () => next()?.readBigInt64BE().toString() ?? '';
  const uuid = () => {
    const id = next();
    return id === null ? null : uuidFromBytes(id);
  };
  const time = () => {
    const micros = next()?.readBigInt64BE();
    return micros === undefined ? null : microseconds(micros);
  };
  return {
    seq: Number(required().readBigInt64BE()),
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
    era: next()?.readInt32BE().toString() ?? '',
    xid: count(),
    entry: text(),
    entryHmac: next(),
  };
}

/** RFC 3339 in UTC with exactly six digits of fraction. */
function microseconds(since2000: bigint): string {
  const ms = Number(since2000 / 1000n);
  const rest = Number(since2000 % 1000n);
  // Before 2000 the rest is negative: one millisecond less, and the rest from there.
  const [whole, micros] = rest < 0 ? [ms - 1, rest + 1000] : [ms, rest];
  return `${new Date(EPOCH_MS + whole).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

const rowsOf = (choice: RowChoice) => `
  select s.seq, s.entry_id, s.prev_hash, s.hash, s.leaf_hash, s.seal_hmac, s.horizon::text, s.sealed_at,
         e.id, e.at, e.action, e.actor, e.subject, e.outcome, e.severity, e.n, e.era, e.xid, e.entry, e.entry_hmac
    from audit_seal s left join audit_entry e on e.id = s.entry_id
   where ${conditionOf(choice)} order by s.seq`;

/** COPY takes no parameters; these are numbers of this program. */
const conditionOf = (choice: RowChoice) =>
  'seqs' in choice
    ? `s.seq = any('{${choice.seqs.map(Number).join()}}'::bigint[])`
    : `s.seq >= ${Number(choice.from)} and s.seq < ${Number(choice.to)}`;
