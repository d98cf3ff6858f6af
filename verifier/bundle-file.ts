import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Json, parseCanonical } from './canonical.ts';
import { UnreadableError } from './pool.ts';
import { isPathWithin, type Source } from './source.ts';

/** What is larger is no bundle that a server made; compressed, and what it may become. */
export const MAX_FILE_BYTES = 128 * 1024 * 1024;
export const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;
const MAX_FILES = 64;
const FORMAT = 'tradeguard-evidence/v1';

/** Whether a path is that of a bundle in one file. */
export function isBundleFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Opens a bundle that is one file: gzipped canonical JSON, `{"files": [{"name", "text" or "base64"}], "format"}`. Nothing in
 * it was checked but that each name stands for one content.
 *
 * @param limits in bytes, of the file and of what it holds
 * @throws UnreadableError for everything else, however large it says it is
 */
export function openBundleFile(path: string, limits = { file: MAX_FILE_BYTES, document: MAX_DOCUMENT_BYTES }): Source {
  const refused = (why: string) => new UnreadableError(`${path} is no evidence bundle: ${why}`);
  const compressed = bytesOf(path, limits.file);
  if (compressed === null) throw refused(`it has more than ${limits.file} bytes`);
  let text: string;
  try {
    const bytes = gunzipSync(compressed, { maxOutputLength: limits.document });
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw refused(`it unpacks to more than ${limits.document} bytes`);
    throw refused(code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : 'it is not gzip, or cut short');
  }
  const files = filesOf(parseCanonical(text));
  if (typeof files === 'string') throw refused(files);
  return {
    label: path,
    has: (name) => files.has(name),
    read: (name) => files.get(name) ?? null,
    names: () => [...files.keys()],
    open: (name) => files.get(name) ?? Buffer.alloc(0),
  };
}

/** @returns null when there is more; reads no more than that, whatever the file is */
function bytesOf(path: string, limit: number): Buffer | null {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const size = statSync(path).size;
    if (size > limit) return null;
    const bytes = Buffer.alloc(size);
    let read = 0;
    while (read < size) {
      const count = readSync(file, bytes, read, size - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } catch (error) {
    throw new UnreadableError((error as Error).message);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function filesOf(value: Json | undefined): Map<string, Buffer> | string {
  if (value === undefined) return 'it is not canonical JSON';
  const members = membersOf(value, ['files', 'format']);
  if (members?.format !== FORMAT || !Array.isArray(members.files)) return `its format is not ${FORMAT}`;
  if (members.files.length > MAX_FILES) return `it has more than ${MAX_FILES} files`;
  const files = new Map<string, Buffer>();
  for (const item of members.files) {
    const file = membersOf(item, ['name', 'text']) ?? membersOf(item, ['base64', 'name']);
    const name = file?.name;
    if (file === null || typeof name !== 'string' || !isPathWithin(name)) return 'one of its files has no name';
    if (files.has(name)) return `${name} is in it twice`;
    const content = file.text ?? file.base64;
    if (typeof content !== 'string') return `${name} has no content`;
    const bytes = Buffer.from(content, file.base64 === undefined ? 'utf8' : 'base64');
    // No regular expression: one that repeats a group runs out of stack after some megabytes.
    if (file.base64 !== undefined && bytes.toString('base64') !== content) return `${name} is not base64`;
    files.set(name, bytes);
  }
  return files;
}

/** The members of an object that has exactly these. */
function membersOf(value: Json, names: readonly string[]): { [key: string]: Json } | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const found = Object.keys(value).sort();
  return found.length === names.length && names.every((name, at) => name === found[at]) ? value : null;
}
