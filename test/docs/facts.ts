import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERROR_MEANINGS, type ErrorMeaning } from '../../domain/errors.ts';
import { configurationVariables } from '../../platform/config.ts';
import { AUTHORIZATION } from '../helpers/authorization-table.ts';
import { ROW_IDS } from '../spec/rows.ts';
import { type Document, inlineCode, readDocument } from './document.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The statuses of problem documents, written down apart from the program. */
const STATUS: Readonly<Record<ErrorMeaning, number>> = {
  bad_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  expired: 410,
  unprocessable: 422,
  locked: 423,
  upgrade_required: 426,
  rate_limited: 429,
  unavailable: 503,
};

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** Links that lead to no file, or to no heading in it. */
export function brokenLinks(document: Document): string[] {
  const links = [...document.prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
  return links.filter((link) => {
    if (/^https:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? document.path : normalize(join(dirname(document.path), path));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !readDocument(target).headings.some((heading) => slug(heading) === anchor);
  });
}

/** Files in backquotes that the repository does not have. */
export function missingFiles(document: Document): string[] {
  const named = inlineCode(document).filter((code) => /^[a-z-]+\/[\w./-]+\.(ts|js|md|sh|json|ya?ml)$/.test(code));
  return named.filter((path) => !existsSync(join(ROOT, path)));
}

/** `METHOD /path` anywhere in the document that no route has. A query, and what a shell puts into a path, do not count. */
export function unknownRoutes(document: Document): string[] {
  const named = [
    ...document.text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/(?:api\/|metrics|readme|web\/)[\w/{}.-]*)/g),
  ];
  return named
    .map(([, method, path]) => `${method} ${path?.replace(/[.]+$/, '')}`)
    .filter((route) => !Object.hasOwn(AUTHORIZATION, route));
}

/** Names in capitals that are no variable of the configuration, and defaults (`NAME=value`) that are not so. */
export function wrongVariables(document: Document): string[] {
  const known = new Map(configurationVariables().map((variable) => [variable.name, variable]));
  const alsoRead = new Set(
    readDocument('docs/configuration.md').rows.flatMap(
      ({ cells }) => /^`([A-Z_0-9]+)`$/.exec(cells[0] ?? '')?.[1] ?? [],
    ),
  );
  // Names of constants stand in links to their module, and are looked up by `wrongValues`.
  const prose = document.prose.replaceAll(/\[`[^`]+`\]\([^)]+\.ts\)/g, '');
  const written = inlineCode({ ...document, prose }).flatMap((code) => {
    const match = /^([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=(.+))?$/.exec(code);
    return match === null ? [] : [{ code, name: (match[1] as string).replace(/_FILE$/, ''), value: match[2] }];
  });
  return written.flatMap(({ code, name, value }) => {
    const variable = known.get(name);
    if (variable === undefined) return alsoRead.has(name) ? [] : [code];
    if (value === undefined || value === variable.fallback || value === variable.inProduction) return [];
    return [`${code} (it is ${variable.fallback}, in production ${variable.inProduction})`];
  });
}

/** ``403 `code` `` that the catalogue of errors does not have, or has with another status. */
export function wrongErrorCodes(document: Document): string[] {
  const named = [...document.prose.matchAll(/\b([45]\d\d) `([a-z_]+)`/g)];
  return named.flatMap(([, status, code = '']) => {
    const meaning: ErrorMeaning | undefined = (ERROR_MEANINGS as Record<string, ErrorMeaning>)[code];
    return meaning !== undefined && STATUS[meaning] === Number(status) ? [] : [`${status} ${code}`];
  });
}

/** Actions of the audit log (`noun.verb`) that the program never writes. */
export function unknownActions(document: Document): string[] {
  const named = inlineCode(document).filter(
    (code) => /^[a-z_]+\.[a-z_]{4,}$/.test(code) && !/\.(json|test|yaml|html)$/.test(code),
  );
  if (named.length === 0) return [];
  const folders = ['api', 'activities', 'cli', 'db', 'domain', 'workers', 'workflows', 'temporal'];
  const source = folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, folder, file)),
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  return named.filter((action) => {
    const [noun, verb] = action.split('.');
    return (
      !source.includes(`'${action}'`) &&
      !new RegExp(`\`${noun}\\.\\$\\{`).test(source) &&
      !source.includes(`'${noun}.', '${verb}'`)
    );
  });
}

/** Row ids in backquotes that the customer's list does not have. */
export function unknownRowIds(document: Document): string[] {
  return inlineCode(document).filter((code) => /^[A-Z]\d{1,2}$/.test(code) && !ROW_IDS.includes(code));
}

/**
 * Values that a table names beside the place where they are defined: the last cell is a link whose text is an exported
 * name, members behind dots, and whose target is the module; the cell before it is the value as JSON.
 *
 * @returns what differs, and how many values were compared
 */
export async function wrongValues(document: Document): Promise<{ compared: number; wrong: string[] }> {
  const wrong: string[] = [];
  let compared = 0;
  for (const { cells } of document.rows) {
    const link = /^\[`([A-Za-z_][\w.]*)`\]\(([^)]+\.ts)\)$/.exec(cells.at(-1) ?? '');
    if (link === null) continue;
    compared += 1;
    const [, path = '', target = ''] = link;
    const module: unknown = await import(join(ROOT, dirname(document.path), target));
    const value = path
      .split('.')
      .reduce<unknown>((object, name) => (object as Record<string, unknown> | undefined)?.[name], module);
    const written = (cells.at(-2) ?? '').replaceAll('`', '');
    if (JSON.stringify(value) !== written)
      wrong.push(`${path}: the document says ${written}, it is ${JSON.stringify(value)}`);
  }
  return { compared, wrong };
}
