/** Bits set for each id: about one in a million is a false candidate where the filter has 30 bits an id. */
const BITS_PER_ID = 8;
const SMALLEST = 2 ** 20;
/** 64 MB. Beyond some ten million entries there are more candidates to look at, not more memory. */
const LARGEST = 2 ** 29;

/**
 * Finds ids that may occur twice, in memory that does not grow with their number: a Bloom filter. Candidates are looked at
 * in a second reading, which alone decides.
 */
export function createRepeatedIds(expected: number) {
  const size = Math.min(LARGEST, Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(expected * 32 + 1))));
  const filter = new Uint32Array(size / 32);
  const mask = size - 1;
  const candidates: string[] = [];

  return {
    /** Two 32-bit numbers for each id. */
    add(ids: Uint32Array): void {
      for (let at = 0; at < ids.length; at += 2) {
        const high = ids[at] as number;
        const low = ids[at + 1] as number;
        let isKnown = true;
        for (let turn = 0; turn < BITS_PER_ID; turn += 1) {
          // Double hashing; the last 62 bits of a UUIDv7 are random as they are.
          const bit = (low + Math.imul(turn, high | 1)) & mask;
          const word = bit >>> 5;
          const flag = 1 << (bit & 31);
          const before = filter[word] as number;
          if ((before & flag) === 0) {
            isKnown = false;
            filter[word] = before | flag;
          }
        }
        if (isKnown) candidates.push(hex(high) + hex(low));
      }
    },
    /** The last 16 hexadecimal digits of each. */
    candidates: () => candidates,
  };
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
