import { readFileSync } from 'node:fs';
import { createApiReferenceRoutes } from './api-reference.ts';
import { openApiDocument } from './openapi-document.ts';
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
      // It must answer without the database.
      limit: 'local',
      responses: { 200: { description: 'The document', mediaTypes: ['application/json'] } },
      handler: async () => ({ status: 200, body: json }),
    }),
    ...createApiReferenceRoutes(),
  ];
  const json = JSON.stringify(openApiDocument([...routes, ...own].filter(isCall), version));
  return own;
}

/** Pages and their files are for browsers, and no calls. */
const isCall = ({ path }: Route): boolean =>
  path === '/metrics' || (path.startsWith('/api/') && !path.startsWith('/api/docs/'));
