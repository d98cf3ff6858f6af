import { readFile } from 'node:fs/promises';
import { DomainError } from '../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { STYLE_SHEET } from './html.ts';
import { type Route, route } from './route.ts';
import { loadWebBuild } from './web-build.ts';
import { createPageRoutes } from './web-pages.ts';

const README = new URL('../README.md', import.meta.url);

/** What is served beside the API: the dashboard's pages, and the README. */
export function createRootRoutes({ config }: ApiDeps): Route[] {
  return [
    ...createPageRoutes({ production: config.production, build: loadWebBuild() }),
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
