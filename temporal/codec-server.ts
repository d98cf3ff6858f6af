import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PayloadCodec } from '@temporalio/common';
import type { Logger } from 'pino';
import { KeyringError } from '../security/keyring.ts';
import { encodedWith, PayloadCodecError } from './payload-codec.ts';

/** Who may see payloads in the clear. */
export interface Reader {
  userId: string;
  sessionId: string;
}

export interface CodecServerDeps {
  /** One that passes plain payloads. */
  codec: PayloadCodec;
  /** The one origin whose pages may ask: the Temporal UI's. */
  uiOrigin: string;
  /** The member of staff behind a request's session, or undefined. */
  authorize: (request: IncomingMessage) => Promise<Reader | undefined>;
  /** Writes down who reads how much, before it is handed out. */
  record: (reader: Reader, decode: { namespace: string; payloads: number; keyIds: string[] }) => Promise<void>;
  log: Logger;
}

/** A page of a history in the UI holds a few hundred payloads. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
const NAMESPACE = /^[A-Za-z0-9._-]{1,255}$/;

/** One payload of Temporal's JSON, its bytes in base64. */
interface JsonPayload {
  metadata?: Record<string, string>;
  data?: string;
}

/**
 * The remote codec of the Temporal UI and CLI (https://docs.temporal.io/production-deployment/data-encryption): `POST
 * /decode` for a signed-in member of staff, each call an audit entry that is committed first. `POST /encode` gives back
 * what it got: input from the UI stays unencoded, so that nobody gets our key to sign with.
 *
 * It listens on loopback; a proxy on the same machine may publish it.
 */
export function createCodecServer(deps: CodecServerDeps) {
  const server = createServer((request, response) => {
    serve(deps, request, response).catch((error: unknown) => {
      deps.log.error({ err: error }, 'codec server');
      answer(response, 500, { message: 'The payloads could not be decoded.' });
    });
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;

  return {
    /** @returns its URL; with port 0 the system chooses the port */
    listen: (port: number): Promise<string> => listen(server, port),
    async close(): Promise<void> {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
    },
  };
}

export type CodecServer = ReturnType<typeof createCodecServer>;

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

async function serve(deps: CodecServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { origin } = request.headers;
  response.setHeader('Vary', 'Origin');
  // A browser always sends Origin with a POST; the CLI sends none.
  if (origin !== undefined) {
    if (origin !== deps.uiOrigin) return answer(response, 403, { message: 'This origin may not ask.' });
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
  }
  if (request.method === 'OPTIONS') {
    response.setHeader('Access-Control-Allow-Methods', 'POST');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, X-Namespace');
    response.setHeader('Access-Control-Max-Age', '600');
    return answer(response, 204);
  }
  const path = (request.url ?? '').split('?')[0];
  if (path !== '/decode' && path !== '/encode') return answer(response, 404, { message: 'There is nothing here.' });
  if (request.method !== 'POST') return answer(response, 405, { message: 'Ask with POST.' });
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) {
    return answer(response, 413, { message: 'Send at most 8 MiB.' });
  }
  const reader = await deps.authorize(request);
  if (reader === undefined) return answer(response, 401, { message: 'Sign in as a member of staff first.' });

  const payloads = parsePayloads(await readBody(request));
  if (payloads === undefined) return answer(response, 400, { message: 'Send {"payloads": [...]}, base64 inside.' });
  if (path === '/encode') return answer(response, 200, { payloads: payloads.map(toJson) });

  const keyIds = [...new Set(payloads.flatMap((payload) => encodedWith(payload) ?? []))];
  // What is not encoded could be read without us.
  if (keyIds.length > 0) {
    await deps.record(reader, { namespace: namespaceOf(request), payloads: payloads.length, keyIds: keyIds.sort() });
  }
  try {
    answer(response, 200, { payloads: (await deps.codec.decode(payloads)).map(toJson) });
  } catch (error) {
    if (!(error instanceof PayloadCodecError || error instanceof KeyringError)) throw error;
    answer(response, 422, { message: 'A payload was not encoded by this installation.' });
  }
}

function namespaceOf({ headers }: IncomingMessage): string {
  const given = headers['x-namespace'];
  return typeof given === 'string' && NAMESPACE.test(given) ? given : 'unknown';
}

/** @returns undefined for a body beyond the limit */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsePayloads(body: string | undefined) {
  if (body === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  const list = (parsed as { payloads?: unknown } | null)?.payloads;
  if (!Array.isArray(list) || !list.every(isJsonPayload)) return undefined;
  return list.map(({ metadata = {}, data = '' }) => ({
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    data: Buffer.from(data, 'base64'),
  }));
}

function isJsonPayload(value: unknown): value is JsonPayload {
  if (typeof value !== 'object' || value === null) return false;
  const { metadata = {}, data = '' } = value as { metadata?: unknown; data?: unknown };
  if (typeof data !== 'string' || typeof metadata !== 'object' || metadata === null) return false;
  return Object.values(metadata).every((entry) => typeof entry === 'string');
}

function toJson({ metadata, data }: { metadata?: Record<string, Uint8Array> | null; data?: Uint8Array | null }) {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return {
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
    data: base64(data ?? new Uint8Array()),
  };
}

function answer(response: ServerResponse, status: number, body?: unknown): void {
  if (response.headersSent) return;
  response.statusCode = status;
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (body === undefined) {
    response.end();
    return;
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(body));
}
