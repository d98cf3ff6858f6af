/** What JSON text holds. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const MAX_DEPTH = 64;

/**
 * Reads text that has to be in canonical form (RFC 8785), strictly: no repeated key, no lone surrogate, no U+0000, no
 * integer beyond 2^53 - 1, at most 64 levels.
 *
 * @returns the value, or undefined when the text is anything else
 */
export function parseCanonical(text: string): Json | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  // What a string must not hold can only come from an escape, once the text itself is well-formed.
  const shape = walk(value, 0, !text.isWellFormed() || text.includes('\\u'));
  if (shape === 'refused') return undefined;
  // JSON.stringify writes strings and numbers as RFC 8785 wants them. Only its order of keys may differ: that of the text,
  // but for keys that look like array indices.
  return (shape === 'sorted' ? JSON.stringify(value) : canonical(value)) === text ? value : undefined;
}

/** The canonical form of a value that JSON.parse made. */
export function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`);
  return `{${members.join(',')}}`;
}

function walk(value: Json, depth: number, isSuspect: boolean): 'sorted' | 'unsorted' | 'refused' {
  if (typeof value === 'string') return isSuspect && !isText(value) ? 'refused' : 'sorted';
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'refused';
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'refused' : 'sorted';
  }
  if (value === null || typeof value !== 'object') return 'sorted';
  if (depth >= MAX_DEPTH) return 'refused';
  let found: 'sorted' | 'unsorted' = 'sorted';
  if (Array.isArray(value)) {
    for (const item of value) {
      const inner = walk(item, depth + 1, isSuspect);
      if (inner === 'refused') return inner;
      if (inner === 'unsorted') found = inner;
    }
    return found;
  }
  let before: string | undefined;
  for (const key of Object.keys(value)) {
    if (isSuspect && !isText(key)) return 'refused';
    if (before !== undefined && before > key) found = 'unsorted';
    before = key;
    const inner = walk(value[key] as Json, depth + 1, isSuspect);
    if (inner === 'refused') return inner;
    if (inner === 'unsorted') found = inner;
  }
  return found;
}

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
