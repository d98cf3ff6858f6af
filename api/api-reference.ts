import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { DomainError } from '../domain/errors.ts';
import { htmlPage } from './html.ts';
import { type Reply, type Route, type RouteContext, route } from './route.ts';

const PUBLIC = { kind: 'public' } as const;
/** Names of files carry the version of what they hold, so that never changes. */
const FOREVER = 'public, max-age=31536000, immutable';
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const CSS = 'text/css; charset=utf-8';

const PAGE = `<div id="reference"><noscript>
<h1>Tradeguard API</h1><p>The reference is drawn by a script. The same for machines: <a href="/api/openapi.json">OpenAPI 3.1</a></p>
</noscript></div>`;

interface PageFile {
  location: URL;
  contentType: string;
}

/** Swagger UI over the document, from this origin alone: docs/adr/0066-api-reference.md. */
export function createApiReferenceRoutes(): Route[] {
  const files = new Map<string, PageFile>();
  const named = (name: string, version: string, file: PageFile): string => {
    const versioned = name.replace('.', `-${version}.`);
    files.set(versioned, file);
    return `/api/docs/${versioned}`;
  };
  const library = (name: string, contentType: string): string =>
    named(name, libraryVersion(), { location: libraryFile(name), contentType });
  const own = (name: string, contentType: string): string => {
    const location = new URL(`./reference/${name}`, import.meta.url);
    return named(name, createHash('sha256').update(readFileSync(location)).digest('hex').slice(0, 12), {
      ...{ location, contentType },
    });
  };
  const page = htmlPage('Tradeguard API', PAGE, {
    styles: [library('swagger-ui.css', CSS), own('reference.css', CSS)],
    scripts: [library('swagger-ui-bundle.js', JAVASCRIPT), own('reference.js', JAVASCRIPT)],
  });
  const contents = new Map<string, Promise<Content>>();

  async function file({ params, request }: RouteContext<z.output<typeof filePath>>): Promise<Reply> {
    const found = files.get(params.file);
    if (found === undefined) throw new DomainError('not_found', 'There is no such file.');
    const content = contents.get(params.file) ?? readContent(found.location);
    contents.set(params.file, content);
    const { plain, compressed } = await content;
    const isCompressed = /\bgzip\b/.test(request.header('accept-encoding') ?? '');
    return {
      status: 200,
      contentType: found.contentType,
      headers: {
        'Cache-Control': FOREVER,
        Vary: 'Accept-Encoding',
        ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
      },
      body: isCompressed ? compressed : plain,
    };
  }

  return [
    route({
      method: 'get',
      path: '/api/docs',
      name: 'getApiReference',
      summary: 'This API as a page to read and to try',
      access: PUBLIC,
      limit: 'local',
      responses: { 200: { description: 'An HTML page', mediaTypes: ['text/html'] } },
      handler: async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: page }),
    }),
    route({
      method: 'get',
      path: '/api/docs/{file}',
      name: 'getApiReferenceFile',
      summary: 'A script or style sheet of the reference',
      access: PUBLIC,
      limit: 'none',
      params: filePath,
      responses: { 200: { description: 'The file' }, 404: { description: 'not_found' } },
      handler: file,
    }),
  ];
}

/** No path of a request becomes the name of a file: it is looked up among those that the page names. */
const filePath = z.object({ file: z.string().regex(/^[A-Za-z0-9.-]{1,64}$/) });

interface Content {
  plain: Buffer;
  compressed: Buffer;
}

async function readContent(location: URL): Promise<Content> {
  const plain = await readFile(location);
  return { plain, compressed: await promisify(gzip)(plain, { level: 9 }) };
}

const libraryFile = (name: string): URL => new URL(import.meta.resolve(`swagger-ui-dist/${name}`));

function libraryVersion(): string {
  const manifest = JSON.parse(readFileSync(fileURLToPath(libraryFile('package.json')), 'utf8')) as { version: string };
  return manifest.version.replaceAll('.', '-');
}
