import { fieldsOf, findFields, type RowFields } from '../../db/audit-row-fields.ts';
import type { SealedRow } from '../../db/audit-rows.ts';
import { uuidToBytes } from '../../security/uuid.ts';

const EPOCH_MS = Date.UTC(2000, 0, 1);

/** A row as PostgreSQL sends it in binary form. */
export function sealedRowBytes(row: SealedRow): Buffer {
  const { stored } = row;
  const fields = [
    ...[big(row.seq), uuidToBytes(row.entryId), row.prevHash, row.hash, row.leafHash, row.sealMac],
    ...[row.horizon, time(row.sealedAt), stored.id && uuidToBytes(stored.id), stored.at && time(stored.at)],
    ...[stored.action, stored.actor, stored.subject, stored.outcome, stored.severity],
    ...[big(row.n), int(row.era), big(row.xid), row.entry, row.entryHmac],
  ];
  const parts: Buffer[] = [Buffer.of(0, fields.length)];
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field) : field;
    parts.push(int(bytes?.length ?? -1), bytes ?? Buffer.alloc(0));
  }
  return Buffer.concat(parts);
}

/** Where its fields are. */
export function rowFields(bytes: Buffer): RowFields {
  const fields = fieldsOf(bytes);
  if (findFields(fields, 0) !== bytes.length) throw new Error('these bytes are not one row');
  return fields;
}

function big(value: string | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function int(value: string | number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Number(value));
  return bytes;
}

/** Of RFC 3339 with six digits of fraction. */
const time = (text: string) =>
  big(String((BigInt(Date.parse(`${text.slice(0, 19)}Z`)) - BigInt(EPOCH_MS)) * 1_000n + BigInt(text.slice(20, 26))));
