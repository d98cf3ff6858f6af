import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { ReplayFileError } from './replay-file.ts';

/** Rows of one read, each with the line it began on. */
export interface CsvPage {
  readonly rows: ReadonlyArray<readonly string[]>;
  readonly lines: readonly number[];
}

const READ_BYTES = 256 * 1024;
/** A quoted field that goes on for so long is a quote that was never closed. */
const MAX_QUOTED = 100_000;
const QUOTE = '"';

/**
 * Streams the rows of a CSV file (RFC 4180; `.gz` is unpacked on the way), the heading included, some thousand at a time.
 * Lines without a quote, which are nearly all, are only split: that is several times as fast as a parser that looks at
 * each character. Those with one go through `csv-parse`. Empty lines are left out, and blanks around fields.
 *
 * @param onBytes sees the length of every piece of the file as it lies on disk
 * @throws ReplayFileError for a quote that is not closed; the file system's and zlib's errors
 */
export async function* readCsv(path: string, onBytes?: (bytes: number) => void): AsyncGenerator<CsvPage> {
  const file = createReadStream(path, { highWaterMark: READ_BYTES });
  if (onBytes !== undefined) file.on('data', (chunk) => onBytes(chunk.length));
  const stream = path.endsWith('.gz') ? file.pipe(createGunzip({ chunkSize: READ_BYTES })) : file;
  // A pipe passes no errors on.
  file.once('error', (error) => stream.destroy(error));
  const decoder = new TextDecoder('utf-8');
  const splitter = createSplitter();
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      yield splitter.split(decoder.decode(chunk, { stream: true }), false);
    }
    yield splitter.split(decoder.decode(), true);
  } finally {
    file.destroy();
    stream.destroy();
  }
}

function createSplitter() {
  let rest = '';
  let line = 0;
  /** Lines of a record whose quoted field goes on. */
  let open: { text: string; line: number } | undefined;

  function record(text: string, rows: Array<readonly string[]>, lines: number[]): void {
    line += 1;
    if (open !== undefined) {
      open.text += `\n${text}`;
      if (open.text.length > MAX_QUOTED) throw notClosed(open.line);
    } else if (text.includes(QUOTE)) open = { text, line };
    else if (text !== '') {
      rows.push(text.split(','));
      lines.push(line);
      return;
    }
    if (open === undefined || quotesOf(open.text) % 2 === 1) return;
    rows.push(quoted(open.text, open.line));
    lines.push(open.line);
    open = undefined;
  }

  return {
    split(text: string, isLast: boolean): CsvPage {
      const rows: Array<readonly string[]> = [];
      const lines: number[] = [];
      const buffer = rest + text;
      let from = 0;
      for (let end = buffer.indexOf('\n'); end >= 0; end = buffer.indexOf('\n', from)) {
        record(buffer.slice(from, buffer[end - 1] === '\r' && end > from ? end - 1 : end), rows, lines);
        from = end + 1;
      }
      rest = buffer.slice(from);
      if (rest.length > MAX_QUOTED)
        throw new ReplayFileError(`line ${line + 1}: is longer than ${MAX_QUOTED} characters`);
      if (isLast && rest !== '') record(rest, rows, lines);
      if (isLast && open !== undefined) throw notClosed(open.line);
      return { rows, lines };
    },
  };
}

function quotesOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf(QUOTE); at >= 0; at = text.indexOf(QUOTE, at + 1)) count += 1;
  return count;
}

function quoted(text: string, line: number): readonly string[] {
  try {
    const [fields] = parse(text, { trim: true, relax_column_count: true }) as string[][];
    if (fields !== undefined) return fields;
  } catch (error) {
    throw new ReplayFileError(`line ${line}: ${(error as Error).message.replace(/ (at|on) line \d+.*$/, '')}`);
  }
  throw new ReplayFileError(`line ${line}: is no CSV`);
}

function notClosed(line: number): ReplayFileError {
  return new ReplayFileError(`line ${line}: a quote is opened and not closed`);
}
