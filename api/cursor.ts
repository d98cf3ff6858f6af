import { z } from 'zod';
import { DomainError } from '../domain/errors.ts';

/** Where a page ended: the time of its last row, as exactly as the database has it, and the row's id. */
export interface Position {
  /** PostgreSQL's text of a timestamptz. */
  at: string;
  id: string;
}

const POSITION = z.tuple([
  z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}(:?\d{2})?)$/)
    .refine(isPossible),
  z.uuid(),
]);

/** False for the 30th of February: the database would refuse it with an error of its own. */
function isPossible(timestamp: string): boolean {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = timestamp.split(/[-T :.Z+]/, 6).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return date.toISOString().slice(0, 19) === `${timestamp.slice(0, 10)}T${timestamp.slice(11, 19)}`;
}

/** Query parameters that every list takes. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Rows on a page'),
  cursor: z.string().max(200).optional().describe('nextCursor of the page before'),
};

/** The opaque text under which a client asks for the next page. */
export function encodeCursor({ at, id }: Position): string {
  return write(at, id);
}

/** @throws DomainError `invalid_cursor` for a text that {@link encodeCursor} did not make */
export function decodeCursor(cursor: string | undefined): Position | null {
  const position = read(cursor, POSITION);
  return position && { at: position[0], id: position[1] };
}

const read = <S extends z.ZodType>(cursor: string | undefined, schema: S): z.output<S> | null => {
  if (cursor === undefined) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new DomainError('invalid_cursor', 'The cursor is not one that this list gave out.');
  }
};
const write = (...position: unknown[]): string => Buffer.from(JSON.stringify(position)).toString('base64url');

/** Where a page of checkpoints ended. */
export interface ForkPosition {
  fork: number;
  size: number;
}

const FORK_POSITION = z.tuple([z.int().min(0).max(9_999), z.int().min(1)]);

export const encodeForkCursor = ({ fork, size }: ForkPosition): string => write(fork, size);

/** @throws DomainError `invalid_cursor` for a text that {@link encodeForkCursor} did not make */
export function decodeForkCursor(cursor: string | undefined): ForkPosition | null {
  const position = read(cursor, FORK_POSITION);
  return position && { fork: position[0], size: position[1] };
}

/** Where a page of a list with several orders ended. A cursor of one order is none of another. */
export interface SortedPosition {
  order: string;
  /** PostgreSQL's text of the value that is ordered by. */
  value: string;
  id: string;
}

const SORTED = z.tuple([z.string(), z.string().max(40), z.uuid()]);
const VALUES = { time: POSITION.def.items[0], integer: z.string().regex(/^\d{1,18}$/) } as const;

export function encodeSortedCursor({ order, value, id }: SortedPosition): string {
  return write(order, value, id);
}

/** @throws DomainError `invalid_cursor` for a text that {@link encodeSortedCursor} did not make for this order */
export function decodeSortedCursor(
  cursor: string | undefined,
  order: string,
  kind: keyof typeof VALUES,
): Omit<SortedPosition, 'order'> | null {
  if (cursor === undefined) return null;
  try {
    const [made, value, id] = SORTED.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (made !== order) throw new Error('a cursor of another order');
    return { value: VALUES[kind].parse(value), id };
  } catch {
    throw new DomainError('invalid_cursor', 'The cursor is not one that this list gave out in this order.');
  }
}

/** Cuts a page out of `limit + 1` rows: the one too many only tells that there is a next page. */
export function pageOf<T>(found: readonly T[], limit: number, positionOf: (item: T) => Position) {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null };
}
