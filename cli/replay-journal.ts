import { appendFileSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What the API answered to a row at once. */
export type FirstVerdict = 'settled' | 'step_up' | 'held' | 'rejected' | 'not_accepted';

/** The answer to one row. */
export interface RowEntry {
  readonly kind: 'row';
  readonly n: number;
  readonly account: string;
  readonly label: 0 | 1;
  readonly scenario: string;
  readonly verdict: FirstVerdict;
  /** Why it was rejected or not accepted. */
  readonly code?: string;
  readonly transactionId?: string;
  /** Milliseconds from sending to the verdict. */
  readonly ms: number;
  /** Unix milliseconds of the row's own time. */
  readonly at: number;
}

/** The transaction passed its step-up and is now held. */
export interface HeldEntry {
  readonly kind: 'held';
  readonly n: number;
}

/** The end of a transaction that was not final at once. */
export interface EndEntry {
  readonly kind: 'end';
  readonly n: number;
  readonly status: 'settled' | 'rejected';
  readonly code?: string;
  /** The decision included a hold, also where a step-up came first and was not passed. */
  readonly hold: boolean;
}

export type JournalEntry = RowEntry | HeldEntry | EndEntry;

/**
 * What a replay has done so far, one JSON line an event, beside the data of the instance it was done to. Whatever kills
 * the replay, at most the last line is torn: it is cut off, and its row is sent again under the same Idempotency-Key.
 *
 * @throws when a line before the last is no JSON: somebody edited the file
 */
export function openJournal(dataDir: string, fileSha256: string) {
  const path = join(dataDir, 'replay', `${fileSha256.slice(0, 16)}.jsonl`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, 'a', 0o600);
  const earlier = readEntries(path);

  return {
    path,
    /** The entries of earlier runs, in their order. */
    earlier,
    append(entry: JournalEntry): void {
      appendFileSync(file, `${JSON.stringify(entry)}\n`);
    },
    close(): void {
      fsyncSync(file);
      closeSync(file);
    },
  };
}

export type Journal = ReturnType<typeof openJournal>;

function readEntries(path: string): JournalEntry[] {
  const text = readFileSync(path, 'utf8');
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  if (complete.length < text.length) truncateSync(path, Buffer.byteLength(complete));
  return complete
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      try {
        return JSON.parse(line) as JournalEntry;
      } catch {
        throw new Error(`${path}, line ${index + 1} is no JSON. Move the file away to send the whole file again.`);
      }
    });
}
