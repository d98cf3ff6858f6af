import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A fenced block of a document. */
export interface Block {
  language: string;
  text: string;
  /** The heading that it stands below. */
  section: string;
  /** Line of its first fence, from 1. */
  line: number;
  /** The block that stands right behind it, where that is a `text` block: what the first one answers. */
  output: string | undefined;
}

/** One row of a table, without its heading. */
export interface TableRow {
  section: string;
  cells: readonly string[];
  line: number;
}

export interface Document {
  path: string;
  text: string;
  blocks: readonly Block[];
  rows: readonly TableRow[];
  /** The text without its fenced blocks. */
  prose: string;
  headings: readonly string[];
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** Reads a document of the repository by its path from the root. */
export function readDocument(path: string): Document {
  const text = readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
  const lineOf = (index: number) => text.slice(0, index).split('\n').length;
  const prose = text.replace(FENCE, (block) => block.replaceAll(/[^\n]/g, ' '));
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(({ 1: title, index }) => ({ title: title as string, index }));
  const sectionAt = (index: number) => headings.findLast((heading) => heading.index < index)?.title ?? '';

  const fenced = [...text.matchAll(FENCE)];
  const blocks = fenced.map((match, n): Block => {
    const [whole, language = '', body = ''] = match;
    const next = fenced[n + 1];
    const follows =
      next !== undefined && next[1] === 'text' && text.slice(match.index + whole.length, next.index) === '\n\n';
    const output = follows ? (next[2] as string).replace(/\n$/, '') : undefined;
    return { language, text: body, section: sectionAt(match.index), line: lineOf(match.index), output };
  });
  return { path, text, blocks, rows: tableRows(prose, sectionAt), prose, headings: headings.map(({ title }) => title) };
}

function tableRows(prose: string, sectionAt: (index: number) => string): TableRow[] {
  const rows: TableRow[] = [];
  let index = 0;
  for (const [n, line] of prose.split('\n').entries()) {
    if (line.startsWith('|')) {
      const cells = line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim());
      rows.push({ section: sectionAt(index), cells, line: n + 1 });
    }
    index += line.length + 1;
  }
  // The heading of a table and the dashes below it are no rows.
  const isRule = (row: TableRow | undefined) => row?.cells.every((cell) => /^:?-+:?$/.test(cell)) ?? false;
  return rows.filter((row, n) => !isRule(row) && !(isRule(rows[n + 1]) && rows[n + 1]?.line === row.line + 1));
}

/** Everything in single backquotes outside of fenced blocks. */
export function inlineCode(document: Document): string[] {
  return [...document.prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code as string);
}

/** Text in which what differs from run to run is replaced by its kind. */
export function normalised(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<id>')
    .replaceAll(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00)/g, '<time>')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<sha256>')
    .replaceAll(/(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{43,}(?![\w-])/g, '<token>');
}
