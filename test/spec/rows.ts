import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** How many rows each chapter of the customer's list has. They stand here so that none can fall off the document. */
const ROWS_OF = {
  D: 10,
  L: 9,
  T: 6,
  R: 6,
  F: 13,
  A: 7,
  P: 11,
  S: 9,
  H: 17,
  C: 10,
  B: 9,
  O: 9,
  G: 6,
  N: 4,
} as const;

/** Ids of all rows, in the list's order: D1, D2, ... */
export const ROW_IDS: readonly string[] = Object.entries(ROWS_OF).flatMap(([chapter, count]) =>
  Array.from({ length: count }, (_, n) => `${chapter}${n + 1}`),
);

/**
 * The ids that were asked for, in the list's order; all without a request.
 *
 * @throws SpecError for an id that the customer's list does not have
 */
export function askedIds(given: readonly string[]): readonly string[] {
  const asked = given.map((id) => id.toUpperCase());
  const unknown = asked.filter((id) => !ROW_IDS.includes(id));
  if (unknown.length > 0) {
    const chapters = Object.entries(ROWS_OF).map(([chapter, count]) => `${chapter}1-${chapter}${count}`);
    throw new SpecError(`There is no row ${unknown.join(', ')}. Rows are ${chapters.join(', ')}.`);
  }
  return given.length === 0 ? ROW_IDS : ROW_IDS.filter((id) => asked.includes(id));
}

/** A change of one line that must turn the row's tests red. */
export interface Breaker {
  file: string;
  /** The line as it stands there, without its indentation; it occurs once. */
  before: string;
  /** What it becomes; empty where the line goes. */
  after: string;
}

/** One row of docs/spec.md. */
export interface SpecRow {
  id: string;
  what: string;
  doneBy: readonly string[];
  heldBy: readonly string[];
  evidence: string;
  breaker: Breaker;
}

/** What docs/spec.md says that is not so; the message says where. */
export class SpecError extends Error {
  override readonly name = 'SpecError';
}

const SECTION = /^### ([A-Z]\d+) (.+)$/;

/**
 * Reads the rows of docs/spec.md.
 *
 * @throws SpecError where a section is not of the form that the document's head describes
 */
export function parseSpec(markdown: string): SpecRow[] {
  const sections: { id: string; what: string; lines: string[] }[] = [];
  for (const line of markdown.split('\n')) {
    const head = SECTION.exec(line);
    if (head !== null) sections.push({ id: head[1] as string, what: head[2] as string, lines: [] });
    else if (line.startsWith('#')) sections.push({ id: '', what: line, lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections.filter(({ id }) => id !== '').map(({ id, what, lines }) => parseSection(id, what, lines));
}

/** The entries of a section by name; lines that do not start one belong to the one before. */
function entriesOf(lines: readonly string[]): Map<string, string> {
  const entries = new Map<string, string>();
  let name = '';
  for (const line of lines) {
    const start = /^- ([A-Z][a-z ]+): (.*)$/.exec(line);
    if (start !== null) name = start[1] as string;
    entries.set(name, start === null ? `${entries.get(name) ?? ''}\n${line}` : (start[2] as string));
  }
  return entries;
}

function parseSection(id: string, what: string, lines: readonly string[]): SpecRow {
  const entries = entriesOf(lines);
  const entry = (name: string): string => {
    const found = entries.get(name)?.trim();
    if (!found) throw new SpecError(`docs/spec.md, ${id}: there is no "- ${name}: ..."`);
    return found;
  };
  const files = (name: string): string[] => {
    const named = [...entry(name).matchAll(/`([^`]+)`/g)].map(([, file]) => file as string);
    if (named.length === 0) throw new SpecError(`docs/spec.md, ${id}: "${name}" names no file in backquotes`);
    return named;
  };
  const broken = entry('Broken by');
  const file = /^`([^`]+)`/.exec(broken)?.[1];
  const diff = /```diff\n([\s\S]*?)```/.exec(broken)?.[1];
  const sign = (mark: '-' | '+') =>
    diff?.split('\n').flatMap((line) => (line.trimStart().startsWith(mark) ? [line.trimStart().slice(1).trim()] : []));
  const [before, after] = [sign('-'), sign('+')];
  if (file === undefined || before?.length !== 1 || after?.length !== 1) {
    throw new SpecError(`docs/spec.md, ${id}: "Broken by" needs a file and a diff of one line out and one in`);
  }
  const breaker = { file, before: before[0] as string, after: after[0] as string };
  return { id, what, doneBy: files('Done by'), heldBy: files('Held by'), evidence: entry('Evidence'), breaker };
}

/** The rows as they stand in the repository. @throws SpecError */
export function readSpec(): SpecRow[] {
  return parseSpec(readFileSync(join(ROOT, 'docs/spec.md'), 'utf8'));
}

/** The text of a file with the line broken and its indentation kept. @throws SpecError when the line is not there once */
export function breakText(text: string, { file, before, after }: Breaker): string {
  const lines = text.split('\n');
  const at = lines.flatMap((line, n) => (line.trim() === before ? [n] : []));
  const [only] = at;
  if (at.length !== 1 || only === undefined)
    throw new SpecError(`${file}: "${before}" stands ${at.length} times in it`);
  const indentation = /^\s*/.exec(lines[only] as string)?.[0] ?? '';
  lines[only] = after === '' ? '' : indentation + after;
  return lines.join('\n');
}
