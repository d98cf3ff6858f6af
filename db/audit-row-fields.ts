/** Places of the fields of a sealed row, in the order in which they are asked for (audit-rows.ts). */
export const FIELD = {
  seq: 0,
  entryId: 1,
  prevHash: 2,
  hash: 3,
  leafHash: 4,
  sealMac: 5,
  horizon: 6,
  sealedAt: 7,
  id: 8,
  at: 9,
  action: 10,
  actor: 11,
  subject: 12,
  outcome: 13,
  severity: 14,
  n: 15,
  era: 16,
  xid: 17,
  entry: 18,
  entryHmac: 19,
} as const;

const FIELDS = Object.keys(FIELD).length;

/** Where the fields of one row begin and end in the bytes that arrived: of the row `sealedRowsByChunk` is at. */
export interface RowFields {
  bytes: Buffer;
  /** By the field's place. */
  readonly from: Int32Array;
  /** Exclusive; before `from` where the field is null. */
  readonly to: Int32Array;
}

export const fieldsOf = (bytes: Buffer): RowFields => ({
  bytes,
  from: new Int32Array(FIELDS),
  to: new Int32Array(FIELDS),
});

export const END_OF_ROWS = -1;

/**
 * Finds the fields of the row that begins at `at`, in PostgreSQL's binary format (PostgreSQL manual, COPY, "Binary Format").
 *
 * @returns where the next row begins, {@link END_OF_ROWS} behind the last one; undefined while a part of the row is missing
 * @throws when the row has another number of fields
 */
export function findFields({ bytes, from, to }: RowFields, at: number): number | undefined {
  if (at + 2 > bytes.length) return undefined;
  const count = bytes.readInt16BE(at);
  if (count === END_OF_ROWS) return END_OF_ROWS;
  if (count !== FIELDS) throw new Error(`a sealed row has ${FIELDS} fields, not ${count}`);
  let next = at + 2;
  for (let field = 0; field < count; field += 1) {
    if (next + 4 > bytes.length) return undefined;
    const length = bytes.readInt32BE(next);
    next += 4;
    from[field] = next;
    to[field] = next + length;
    if (length > 0) next += length;
  }
  return next <= bytes.length ? next : undefined;
}

/** The 64-bit integer at `at`, where it is one that a number holds and not negative; undefined where not. */
export function smallInteger(bytes: Buffer, at: number): number | undefined {
  const high = bytes.readInt32BE(at);
  return high >= 0 && high < 2 ** 21 ? high * 2 ** 32 + bytes.readUInt32BE(at + 4) : undefined;
}
