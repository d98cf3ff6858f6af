import canonicalize from 'canonicalize';

/** What JSON text holds. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A value has no canonical JSON form. `path` is a JSON Pointer (RFC 6901) to the part; the value itself stays out. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
  readonly path: string;
  readonly problem: string;
  constructor(path: string, problem: string) {
    super(`${path === '' ? 'the value' : path}: ${problem}`);
    this.path = path;
    this.problem = problem;
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
  check(value, 0);
  return canonicalize(value) as string;
}

function check(value: unknown, depth: number): void {
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') checkText(value);
  else if (typeof value === 'number') checkNumber(value);
  else if (typeof value === 'object') checkContainer(value, depth);
  else throw new CanonicalJsonError('', `${typeof value} has no JSON form`);
}

function checkContainer(value: object, depth: number): void {
  // Cycles end here as well.
  if (depth >= MAX_DEPTH) throw new CanonicalJsonError('', `nested deeper than ${MAX_DEPTH} levels`);
  if (!Array.isArray(value)) checkObject(value);
  const members = value as { readonly [at: string | number]: unknown };
  const keys = Array.isArray(value) ? null : Object.keys(value);
  const count = keys?.length ?? (value as unknown[]).length;
  for (let index = 0; index < count; index++) {
    const at = keys?.[index] ?? index;
    try {
      check(members[at], depth + 1);
    } catch (error) {
      // The path is put together on the way out, where there is something to tell: it costs more than the checks.
      if (!(error instanceof CanonicalJsonError)) throw error;
      const step = String(at).replaceAll('~', '~0').replaceAll('/', '~1');
      throw new CanonicalJsonError(`/${step}${error.path}`, error.problem);
    }
  }
}

function checkObject(value: object): void {
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new CanonicalJsonError('', 'only plain objects have a JSON form');
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw new CanonicalJsonError('', 'a key is a symbol');
  if (Object.hasOwn(value, 'toJSON') && typeof (value as { toJSON: unknown }).toJSON === 'function') {
    throw new CanonicalJsonError('', 'toJSON would replace the value');
  }
  for (const key of Object.keys(value)) checkText(key);
}

function checkText(text: string): void {
  if (!text.isWellFormed()) throw new CanonicalJsonError('', 'a lone surrogate is not text');
  if (text.includes('\u0000')) throw new CanonicalJsonError('', 'U+0000 cannot be stored');
}

function checkNumber(value: number): void {
  if (!Number.isFinite(value)) throw new CanonicalJsonError('', 'not a finite number');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new CanonicalJsonError('', 'an integer beyond 2^53 - 1 is not exact');
  }
}
