import { readFile } from 'node:fs/promises';
import { DomainError } from '../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { escapeHtml, htmlPage, STYLE_SHEET } from './html.ts';
import { type Route, route } from './route.ts';

const README = new URL('../README.md', import.meta.url);

/** The front door: where everything is. */
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
  const page = htmlPage(
    'Tradeguard',
    `<h1>Tradeguard</h1>
<p>The security backend of an investment-trading platform.</p>
<ul>
${links.map(({ href, text, what }) => `<li><a href="${escapeHtml(href)}">${text}</a> <span class="muted">${what}</span></li>`).join('\n')}
</ul>`,
  );
  return [
    route({
      method: 'get',
      path: '/',
      name: 'getRoot',
      summary: 'Links to everything',
      access: { kind: 'public' },
      limit: 'local',
      responses: { 200: { description: 'An HTML page' } },
      handler: async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: page }),
    }),
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
