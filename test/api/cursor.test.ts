import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from '../../api/cursor.ts';

const id = '01a211dd-0e8b-7101-9554-3b01eabd203b';
const made = (at: string) => Buffer.from(JSON.stringify([at, id])).toString('base64url');

test.each(['2026-11-25 08:40:29.502123+00', '2024-02-29T23:59:59Z', '2026-11-25 08:40:29+05:30'])(
  'a position at %s comes back as it went',
  (at) => {
    expect(decodeCursor(encodeCursor({ at, id }))).toEqual({ at, id });
  },
);

test.each(['9999-99-99 00:00:00+00', '2026-02-30 00:00:00+00', '2026-11-25 24:00:01+00', 'now', ''])(
  'a cursor at the impossible time %s is refused before the database sees it',
  (at) => {
    expect(() => decodeCursor(made(at))).toThrow(/invalid_cursor/);
  },
);

test.each(['%%%', 'bm90IGpzb24', ''])('%s is no cursor', (cursor) => {
  expect(() => decodeCursor(cursor)).toThrow(/invalid_cursor/);
});
