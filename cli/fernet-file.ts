import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import type { FernetRow } from '../db/fernet-import.ts';

/** A line of the file; undefined where it cannot be read. */
export interface FernetLine {
  line: number;
  row: FernetRow | undefined;
}

/** Reads CSV (with a heading line) or NDJSON, by the file's name, a line at a time. */
export async function* readFernetFile(path: string): AsyncGenerator<FernetLine> {
  let line = 0;
  if (path.endsWith('.csv')) {
    const records = createReadStream(path).pipe(
      parse({ columns: true, bom: true, trim: true, skip_empty_lines: true }),
    );
    for await (const row of records) {
      line += 1;
      yield { line: line + 1, row: row as FernetRow };
    }
    return;
  }
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() !== '') yield { line, row: objectOf(text) };
  }
}

/**
 * The keys of the older system: from a file, one a line, newest first, or from the variable FERNET_KEYS, separated by
 * commas. Never from the command line, which other users of the machine can read.
 */
export function readFernetKeys(file: string | undefined, env: NodeJS.ProcessEnv): string[] {
  const text = file === undefined ? (env.FERNET_KEYS ?? '').replaceAll(',', '\n') : readFileSync(file, 'utf8');
  const keys = text.split('\n').flatMap((key) => (key.trim() === '' ? [] : [key.trim()]));
  if (keys.length === 0) throw new Error('Name the Fernet keys: --key-file, or the variable FERNET_KEYS.');
  return keys;
}

function objectOf(text: string): FernetRow | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Object.values(value).every((member) => typeof member === 'string')
      ? (value as FernetRow)
      : undefined;
  } catch {
    return undefined;
  }
}
