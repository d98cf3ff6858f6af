const LENGTH_BYTES = 4;

/**
 * Joins parts so that different lists of parts never give the same bytes: each part is preceded by its length in bytes
 * (4 bytes, big-endian). Without the lengths `('ab', 'c')` and `('a', 'bc')` would share one MAC.
 *
 * @throws TypeError when a string holds a lone surrogate, since UTF-8 would silently turn it into U+FFFD and make
 *   different inputs equal.
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  let total = 0;
  for (const part of parts) {
    if (typeof part === 'string' && !part.isWellFormed()) throw new TypeError('a part holds a lone surrogate');
    total += LENGTH_BYTES + (typeof part === 'string' ? Buffer.byteLength(part) : part.length);
  }
  const joined = Buffer.allocUnsafe(total);
  let at = 0;
  for (const part of parts) {
    const from = at + LENGTH_BYTES;
    if (typeof part === 'string') at = from + joined.write(part, from, 'utf8');
    else {
      joined.set(part, from);
      at = from + part.length;
    }
    joined.writeUInt32BE(at - from, from - LENGTH_BYTES);
  }
  return joined;
}
