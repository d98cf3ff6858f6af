import { readFileSync } from 'node:fs';
import { openApiDocument } from './openapi-document.ts';
import { openApiPage } from './openapi-page.ts';
import { type Route, route } from './route.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The description of all the other routes, for machines and for people. */
export function createOpenApiRoutes(routes: readonly Route[]): Route[] {
  const own: Route[] = [
    route({
      method: 'get',
      path: '/api/openapi.json',
      name: 'getOpenApi',
      summary: 'This API as OpenAPI 3.1',
      access: { kind: 'public' },
      responses: { 200: { description: 'The document', mediaTypes: ['application/json'] } },
      handler: async () => ({ status: 200, body: json }),
    }),
    route({
      method: 'get',
      path: '/api/docs',
      name: 'getApiReference',
      summary: 'This API as a page to read',
      access: { kind: 'public' },
      responses: { 200: { description: 'An HTML page', mediaTypes: ['text/html'] } },
      handler: async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: page }),
    }),
  ];
  const document = openApiDocument([...routes, ...own].filter(isOfApi), version);
  const json = JSON.stringify(document);
  const page = openApiPage(document);
  return own;
}

/** Pages and their files are for browsers, and no calls. */
const isOfApi = ({ path }: Route): boolean => path.startsWith('/api/') || path === '/metrics';
