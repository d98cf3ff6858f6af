import canonicalize from 'canonicalize';

/** What JSON text holds. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A value has no canonical JSON form. `path` is a JSON Pointer (RFC 6901) to the part; the value itself stays out. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
  readonly path: string;
  constructor(path: string, problem: string) {
    super(`${path === '' ? 'the value' : path}: ${problem}`);
    this.path = path;
  }
}

const MAX_DEPTH = 64;

/**
 * The JSON Canonicalization Scheme (RFC 8785) as text, strict: what another reader could lose or read differently is
 * refused instead of dropped, so equal text means equal values.
 *
 * @throws CanonicalJsonError for NaN and infinities, integers beyond 2^53 - 1, lone surrogates, U+0000 (PostgreSQL
 *   cannot hold it), undefined, functions, symbols, BigInt, holes in arrays, objects with a prototype of their own
 *   (Date, Map, classes), cycles and nesting beyond 64 levels.
 */
export function canonicalJson(value: unknown): string {
  check(value, '', 0);
  return canonicalize(value) as string;
}

function check(value: unknown, path: string, depth: number): void {
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') checkText(value, path);
  else if (typeof value === 'number') checkNumber(value, path);
  else if (typeof value === 'object') checkContainer(value, path, depth);
  else throw new CanonicalJsonError(path, `${typeof value} has no JSON form`);
}

function checkContainer(value: object, path: string, depth: number): void {
  // Cycles end here as well.
  if (depth >= MAX_DEPTH) throw new CanonicalJsonError(path, `nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) check(value[index], `${path}/${index}`, depth + 1);
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new CanonicalJsonError(path, 'only plain objects have a JSON form');
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw new CanonicalJsonError(path, 'a key is a symbol');
  if (Object.hasOwn(value, 'toJSON') && typeof (value as { toJSON: unknown }).toJSON === 'function') {
    throw new CanonicalJsonError(path, 'toJSON would replace the value');
  }
  for (const [key, member] of Object.entries(value)) {
    const memberPath = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    checkText(key, path);
    check(member, memberPath, depth + 1);
  }
}

function checkText(text: string, path: string): void {
  if (!text.isWellFormed()) throw new CanonicalJsonError(path, 'a lone surrogate is not text');
  if (text.includes('\u0000')) throw new CanonicalJsonError(path, 'U+0000 cannot be stored');
}

function checkNumber(value: number, path: string): void {
  if (!Number.isFinite(value)) throw new CanonicalJsonError(path, 'not a finite number');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new CanonicalJsonError(path, 'an integer beyond 2^53 - 1 is not exact');
  }
}
