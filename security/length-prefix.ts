/**
 * Joins parts so that different lists of parts never give the same bytes: each part is preceded by its length in bytes
 * (4 bytes, big-endian). Without the lengths `('ab', 'c')` and `('a', 'bc')` would share one MAC.
 *
 * @throws TypeError when a string holds a lone surrogate, since UTF-8 would silently turn it into U+FFFD and make
 *   different inputs equal.
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  const chunks: Uint8Array[] = [];
  for (const part of parts) {
    if (typeof part === 'string' && !part.isWellFormed()) throw new TypeError('a part holds a lone surrogate');
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    chunks.push(length, bytes);
  }
  return Buffer.concat(chunks);
}
