import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { DomainError } from '../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { escapeHtml, STYLE_SHEET } from './html.ts';
import { type Route, route } from './route.ts';

const README = new URL('../README.md', import.meta.url);
const WEB = new URL('../web/', import.meta.url);
/** Where the links go in web/index.html. */
const LINKS = '<!-- links -->';
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/** The front door: where everything is, and the console of staff. */
export function createRootRoutes({ config }: ApiDeps): Route[] {
  const links = [
    { href: '/api/health', text: 'Health', what: 'which part is up or down' },
    { href: '/api/docs', text: 'API reference', what: 'every call, made from the schemas that validate' },
    { href: '/api/openapi.json', text: 'OpenAPI 3.1', what: 'the same for machines' },
    ...(config.temporalUiUrl === undefined
      ? []
      : [
          {
            href: config.temporalUiUrl,
            text: 'Temporal UI',
            what: 'every login, transaction and incident as a workflow',
          },
        ]),
    { href: '/readme', text: 'README', what: 'how to run it, and a tour' },
  ];
  const list = links
    .map(
      ({ href, text, what }) => `<li><a href="${escapeHtml(href)}">${text}</a> <span class="muted">${what}</span></li>`,
    )
    .join('\n');
  const page = readFileSync(new URL('index.html', WEB), 'utf8').replace(LINKS, () => list);
  return [
    route({
      method: 'get',
      path: '/',
      name: 'getRoot',
      summary: 'Links to everything, and the console of staff',
      access: { kind: 'public' },
      limit: 'local',
      responses: { 200: { description: 'An HTML page' } },
      handler: async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: page }),
    }),
    ...letterLinkRoutes(),
    ...webFileRoutes(),
    route({
      method: 'get',
      path: '/style.css',
      name: 'getStyleSheet',
      summary: 'The style sheet of the pages',
      access: { kind: 'public' },
      limit: 'none',
      responses: { 200: { description: 'CSS' } },
      handler: async () => ({ status: 200, contentType: 'text/css; charset=utf-8', body: STYLE_SHEET }),
    }),
    route({
      method: 'get',
      path: '/readme',
      name: 'getReadme',
      summary: 'The README as text',
      access: { kind: 'public' },
      limit: 'local',
      responses: { 200: { description: 'Markdown' }, 404: { description: 'This installation came without one' } },
      handler: async () => {
        const text = await readFile(README, 'utf8').catch(() => {
          throw new DomainError('not_found', 'This installation came without its README.');
        });
        return { status: 200, contentType: 'text/plain; charset=utf-8', body: text };
      },
    }),
  ];
}

/** The pages that the links of letters open. */
function letterLinkRoutes(): Route[] {
  const body = readFileSync(new URL('link.html', WEB), 'utf8');
  return ['confirm', 'reset-password', 'recover'].map((name) =>
    route({
      method: 'get',
      path: `/${name}`,
      name: `getPage_${name.replaceAll('-', '_')}`,
      summary: `The page of a letter's link: ${name}`,
      access: { kind: 'public' },
      limit: 'local',
      responses: { 200: { description: 'An HTML page; the token of the link stays in the browser' } },
      handler: async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body }),
    }),
  );
}

/** A route for each script and style sheet of web/: no path of a request ever becomes the name of a file. */
function webFileRoutes(): Route[] {
  return readdirSync(WEB).flatMap((name) => {
    const contentType = CONTENT_TYPES[name.split('.').pop() ?? ''];
    if (contentType === undefined) return [];
    const body = readFileSync(new URL(name, WEB), 'utf8');
    return route({
      method: 'get',
      path: `/web/${name}`,
      name: `getWebFile_${name.replaceAll(/\W/g, '_')}`,
      summary: `A file of the console: ${name}`,
      access: { kind: 'public' },
      limit: 'none',
      responses: { 200: { description: contentType } },
      handler: async () => ({ status: 200, contentType, body }),
    });
  });
}
