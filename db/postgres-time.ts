/** PostgreSQL counts microseconds from 2000-01-01. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
/** `Date` ends in the year 275760 (ECMA-262 section 21.4.1.1), PostgreSQL later, and it has infinity. */
const LAST_MICROSECOND = (8.64e15 - EPOCH_MS) * 1_000;
const ZERO = '0'.charCodeAt(0);
const FRACTION_DIGITS = 6;

/**
 * The text of `timestamptz` in binary form, one after the other: RFC 3339 in UTC with exactly six digits of fraction, exact
 * until the year 2285. `infinity`, which no entry says, for what `Date` cannot hold. Times of rows that follow each other
 * mostly share their second, so its text is kept; columns whose times differ need one of these each.
 */
export function createTimeText() {
  const room = Buffer.alloc(64);
  let length = 0;
  let lastSecond = Number.NaN;

  return {
    /** Holds the text after {@link write}, until the next one. */
    room,

    /** @returns how many bytes the text of the time at `at` has */
    write(bytes: Buffer, at: number): number {
      const since2000 = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
      if (Math.abs(since2000) > LAST_MICROSECOND) {
        lastSecond = Number.NaN;
        length = room.write('infinity');
        return length;
      }
      const second = Math.floor(since2000 / 1_000_000);
      if (second !== lastSecond) {
        lastSecond = second;
        length = room.write(new Date(EPOCH_MS + second * 1_000).toISOString().replace('000Z', '000000Z'));
      }
      let fraction = (since2000 - second * 1_000_000) | 0;
      for (let digit = length - 2; digit > length - 2 - FRACTION_DIGITS; digit -= 1) {
        const tenth = (fraction / 10) | 0;
        room[digit] = ZERO + (fraction - tenth * 10);
        fraction = tenth;
      }
      return length;
    },
  };
}

export type TimeText = ReturnType<typeof createTimeText>;
