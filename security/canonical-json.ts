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

/** Text that JSON writes as it is. Most is of this kind, and this look at it costs a tenth of what the others do. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * The JSON Canonicalization Scheme (RFC 8785) as text, strict: what another reader could lose or read differently is
 * refused instead of dropped, so equal text means equal values. Checked and written in one walk: every audit entry and
 * every signed request goes through here.
 *
 * @throws CanonicalJsonError for NaN and infinities, integers beyond 2^53 - 1, lone surrogates, U+0000 (PostgreSQL
 *   cannot hold it), undefined, functions, symbols, BigInt, holes in arrays, objects with a prototype of their own
 *   (Date, Map, classes), cycles and nesting beyond 64 levels.
 */
export function canonicalJson(value: unknown): string {
  return written(value, 0);
}

/**
 * The canonical JSON of one member of an object, for who writes the object himself: as deep as it stands there, and told
 * of with its name.
 *
 * @throws CanonicalJsonError as {@link canonicalJson} does
 */
export function canonicalMember<T extends object>(of: T, name: keyof T & string): string {
  return member(of as Members, name, 0);
}

function written(value: unknown, depth: number): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return writtenText(value);
  if (typeof value === 'number') return writtenNumber(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value !== 'object') throw new CanonicalJsonError('', `${typeof value} has no JSON form`);
  // Cycles end here as well.
  if (depth >= MAX_DEPTH) throw new CanonicalJsonError('', `nested deeper than ${MAX_DEPTH} levels`);
  return Array.isArray(value) ? writtenArray(value, depth) : writtenObject(value as Members, depth);
}

type Members = { readonly [at: string | number]: unknown };

function writtenArray(value: readonly unknown[], depth: number): string {
  let text = '';
  for (let index = 0; index < value.length; index++) {
    text += `${index === 0 ? '[' : ','}${member(value, index, depth)}`;
  }
  return text === '' ? '[]' : `${text}]`;
}

function writtenObject(value: Members, depth: number): string {
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new CanonicalJsonError('', 'only plain objects have a JSON form');
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw new CanonicalJsonError('', 'a key is a symbol');
  if (Object.hasOwn(value, 'toJSON') && typeof value.toJSON === 'function') {
    throw new CanonicalJsonError('', 'toJSON would replace the value');
  }
  let text = '';
  for (const key of inOrder(Object.keys(value))) {
    text += `${text === '' ? '{' : ','}${writtenText(key)}:${member(value, key, depth)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** By UTF-16 code units (section 3.2.3), as strings compare by themselves. */
function inOrder(keys: string[]): string[] {
  for (let index = 1; index < keys.length; index++) {
    if ((keys[index] as string) < (keys[index - 1] as string)) return keys.sort();
  }
  return keys;
}

function member(value: Members | readonly unknown[], at: string | number, depth: number): string {
  try {
    return written((value as Members)[at], depth + 1);
  } catch (error) {
    // The path is put together on the way out, where there is something to tell: it costs more than the checks.
    if (!(error instanceof CanonicalJsonError)) throw error;
    const step = String(at).replaceAll('~', '~0').replaceAll('/', '~1');
    throw new CanonicalJsonError(`/${step}${error.path}`, error.problem);
  }
}

/** Section 3.2.2.2: what `JSON.stringify` writes. */
function writtenText(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new CanonicalJsonError('', 'a lone surrogate is not text');
  if (text.includes('\u0000')) throw new CanonicalJsonError('', 'U+0000 cannot be stored');
  return JSON.stringify(text);
}

/** Section 3.2.2.3: the shortest digits, as ECMAScript writes numbers. */
function writtenNumber(value: number): string {
  if (!Number.isFinite(value)) throw new CanonicalJsonError('', 'not a finite number');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new CanonicalJsonError('', 'an integer beyond 2^53 - 1 is not exact');
  }
  return String(value);
}
