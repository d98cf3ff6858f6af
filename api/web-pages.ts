import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DomainError } from '../domain/errors.ts';
import { htmlPage } from './html.ts';
import { contentSecurityPolicyHeader } from './middleware/transport.ts';
import { type Reply, type Route, type RouteContext, route } from './route.ts';
import type { WebBuild, WebFile } from './web-build.ts';

const PUBLIC = { kind: 'public' } as const;
const HTML = 'text/html; charset=utf-8';
/** Stands in web/dist/index.html where the nonce of an answer goes. */
const NONCE_MARK = 'TRADEGUARD-CSP-NONCE';
/** Names of files carry a hash of their content, so what one holds never changes. */
const FOREVER = 'public, max-age=31536000, immutable';

const segment = z.string().regex(/^[A-Za-z0-9:._-]{1,128}$/);
const pagePath = z.object({ page: segment });
const itemPath = z.object({ page: segment, id: segment });
const filePath = z.object({ file: segment });

/** The addresses of the application: every one answers with the same page, which knows what to show at which. */
const ADDRESSES = [
  {
    path: '/',
    name: 'getRoot',
    summary: 'The way in: sign-in, then the console of staff or the account of a customer',
  },
  { path: '/console/{page}', name: 'getConsolePage', summary: 'A page of staff', params: pagePath },
  { path: '/console/{page}/{id}', name: 'getConsoleItemPage', summary: 'The page of one thing', params: itemPath },
  { path: '/account/{page}', name: 'getAccountPage', summary: 'A page of a customer', params: pagePath },
  { path: '/account/{page}/{id}', name: 'getAccountItemPage', summary: 'The page of one thing', params: itemPath },
  // What the links of letters open; a token stands behind `#`, which browsers send to nobody.
  { path: '/confirm', name: 'getPage_confirm', summary: "The page of a letter's link: confirm an address" },
  { path: '/reset-password', name: 'getPage_reset_password', summary: "The page of a letter's link: a new password" },
  { path: '/recover', name: 'getPage_recover', summary: "The page of a letter's link: recover an account" },
];

const NOT_BUILT = htmlPage(
  'Tradeguard',
  '<h1>Tradeguard</h1><p>The API runs. The dashboard is not built yet: <code>npm run build:web</code>, then restart the API.</p>',
);

/** The pages of the dashboard, from the memory of this process: no path of a request ever becomes the name of a file. */
export function createPageRoutes({ production, build }: { production: boolean; build: WebBuild | undefined }): Route[] {
  async function page(): Promise<Reply> {
    if (build === undefined) return { status: 503, contentType: HTML, body: NOT_BUILT };
    const nonce = randomBytes(16).toString('base64');
    return {
      status: 200,
      contentType: HTML,
      headers: { 'Content-Security-Policy': contentSecurityPolicyHeader(production, nonce) },
      body: build.page.replaceAll(NONCE_MARK, nonce),
    };
  }

  async function file(context: RouteContext<z.output<typeof filePath>>): Promise<Reply> {
    const found = build?.files.get(context.params.file);
    if (found === undefined) throw new DomainError('not_found', 'There is no such file.');
    const { encoding, body } = encoded(found, context.request.header('accept-encoding') ?? '');
    return {
      status: 200,
      contentType: found.contentType,
      headers: {
        'Cache-Control': FOREVER,
        Vary: 'Accept-Encoding',
        ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }),
      },
      body,
    };
  }

  return [
    ...ADDRESSES.map((address) =>
      route({
        ...address,
        method: 'get',
        access: PUBLIC,
        limit: 'local',
        responses: { 200: { description: 'An HTML page' }, 503: { description: 'The pages are not built: says how' } },
        handler: page,
      }),
    ),
    route({
      method: 'get',
      path: '/web/{file}',
      name: 'getWebFile',
      summary: 'A script or style sheet of the pages',
      access: PUBLIC,
      limit: 'none',
      params: filePath,
      responses: { 200: { description: 'The file' }, 404: { description: 'not_found' } },
      handler: file,
    }),
  ];
}

/** The smallest form that the browser takes (RFC 9110 section 12.5.3; a weight of 0 is not sent by browsers). */
function encoded(file: WebFile, accepted: string): { encoding?: string; body: Buffer } {
  if (file.br !== undefined && /\bbr\b/.test(accepted)) return { encoding: 'br', body: file.br };
  if (file.gzip !== undefined && /\bgzip\b/.test(accepted)) return { encoding: 'gzip', body: file.gzip };
  return { body: file.plain };
}
