import { parseLine } from './line.ts';
import { readLines } from './reading.ts';

/** The second reading of a file, once something is wrong: what stands around it, and where else its hashes occur. */
export interface LocateTask {
  path: string;
  /** Lines to give back whole, from 0, ascending. */
  wanted: readonly number[];
  /** Hashes and leaf hashes to look for. */
  hashes: readonly string[];
  /** Last 16 hexadecimal digits of ids that may occur twice. */
  idEnds: readonly string[];
}

export interface Located {
  index: number;
  seq: number;
  entry: string | null;
  prevHash: string;
  hash: string;
  leafHash: string;
}

export interface LocateResult {
  rows: Located[];
  hits: { value: string; as: 'hash' | 'leaf' | 'id'; index: number; seq: number }[];
}

/** Of one file; a hash that occurs more often is no help. */
const MAX_HITS = 10_000;

/** @throws errors of the file system */
export async function locate(task: LocateTask, onBytes: (bytes: number) => void): Promise<LocateResult> {
  const found: LocateResult = { rows: [], hits: [] };
  const hashes = new Set(task.hashes);
  const idEnds = new Set(task.idEnds);
  let next = 0;
  function hit(value: string, as: 'hash' | 'leaf' | 'id', index: number, seq: number): void {
    if (found.hits.length < MAX_HITS) found.hits.push({ value, as, index, seq });
  }
  await readLines(
    task.path,
    (text, index) => {
      const line = parseLine(text);
      if (line === null) return false;
      const { seq, entry, prevHash, hash, leafHash, id } = line;
      if (task.wanted[next] === index) {
        found.rows.push({ index, seq, entry, prevHash, hash, leafHash });
        next += 1;
      }
      if (hashes.has(hash)) hit(hash, 'hash', index, seq);
      if (hashes.has(leafHash)) hit(leafHash, 'leaf', index, seq);
      if (idEnds.size > 0 && idEnds.has(id.slice(19).replace('-', ''))) hit(id, 'id', index, seq);
      return true;
    },
    onBytes,
  );
  return found;
}
