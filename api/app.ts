import cors from 'cors';
import express, { type Express, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { DomainError, isDomainError } from '../domain/errors.ts';
import { networkKey } from '../domain/network.ts';
import type { Guards } from './guards.ts';
import { createAccessLog } from './middleware/access-log.ts';
import { securityHeaders } from './middleware/transport.ts';
import { problemReply, validationError } from './problem.ts';
import type { Cookie, Principal, Reply, RequestFacts, Route, RouteContext } from './route.ts';
import type { Telemetry } from './telemetry.ts';

export interface AppDeps extends Guards {
  log: Logger;
  telemetry: Pick<Telemetry, 'observe' | 'unexpectedError'>;
  routes: readonly Route[];
}

const BODY_LIMIT = '64kb';

/** Builds the Express application without listening: validate, authorise, handle, answer, log; one path for all routes. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  // One spelling of a path: rules that stand before this program match no other one.
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.set('query parser', 'simple');
  app.use(createAccessLog(deps));
  app.use(helmet(securityHeaders(deps.production)));
  app.use((req, res, next) => {
    const location = deps.transport(req);
    if (location === undefined) next();
    else res.redirect(301, location);
  });
  app.use(
    cors({ origin: [...deps.corsOrigins], allowedHeaders: CORS_HEADERS, exposedHeaders: CORS_EXPOSED, maxAge: 600 }),
  );

  for (const route of deps.routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    // A large body is read by `serve`, once its sender was let in.
    if (route.largeBody === true) app[route.method](path, (req, res) => serve(deps, route, req, res));
    else app[route.method](path, rawBody, (req, res) => serve(deps, route, req, res));
  }
  app.use((req, res) => {
    const facts = deps.requestFacts(req);
    send(
      deps,
      res,
      facts,
      problemReply(new DomainError('not_found', 'There is nothing at this address.'), facts.requestId),
    );
  });
  app.use((error: unknown, req: Request, res: Response, _next: express.NextFunction) => {
    const facts = deps.requestFacts(req);
    answerError(deps, res, facts, error);
  });
  return app;
}

const CORS_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'X-Algorithm',
  'X-Key-Id',
  'X-Nonce',
  'X-Signature',
  'X-Timestamp',
];
const CORS_EXPOSED = ['Idempotency-Replayed', 'Retry-After', 'X-Request-Id'];

/** The exact bytes: signatures and idempotency are about what was received, not about what a parser made of it. */
const rawBody = express.raw({ type: () => true, limit: BODY_LIMIT });

/** For the few routes that say so: a rule set with its lists. */
const LARGE_BODY_LIMIT = '2mb';
const largeBody = express.raw({ type: () => true, limit: LARGE_BODY_LIMIT });

function readLargeBody(req: Request, res: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    largeBody(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
  });
}

async function serve(deps: AppDeps, route: Route, req: Request, res: Response): Promise<void> {
  const facts = deps.requestFacts(req);
  const started = performance.now();
  res.locals.route = route.path;
  let principal: Principal | undefined;
  let streaming: Promise<void> | undefined;
  try {
    principal = await admit(deps, route, req, facts);
    res.locals.userId = principal?.userId;
    if (route.largeBody === true) await readLargeBody(req, res);
    const raw = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
    if (route.signed === true) await checkSignature(deps, route, req, raw, facts, principal);
    const context: RouteContext = {
      params: validate(route.params, req.params, 'path'),
      query: validate(route.query, req.query, 'query'),
      body: route.body === undefined ? undefined : validate(route.body, parseJson(req, raw), 'body'),
      rawBody: raw,
      principal,
      request: facts,
    };
    if (route.signedIf?.(context.body) === true) await checkSignature(deps, route, req, raw, facts, principal);
    const reply = await route.handler(context);
    if (reply.stream === undefined) send(deps, res, facts, reply);
    else streaming = stream(res, facts, reply, reply.stream);
  } catch (error) {
    answerError(deps, res, facts, error, `${req.method} ${route.path}`);
  } finally {
    const ms = performance.now() - started;
    // Of a stream its first byte is timed: how long somebody watches is no latency.
    deps.telemetry.observe({ method: route.method.toUpperCase(), route: route.path, status: res.statusCode, ms });
    await streaming;
  }
}

/** Counts the call, whoever makes it: a caller that is refused below has used up one of its own all the same. */
async function admit(deps: AppDeps, route: Route, req: Request, facts: RequestFacts): Promise<Principal | undefined> {
  let principal: Principal | undefined;
  try {
    principal = await deps.authenticate.authorize(route.access, facts, req.method);
  } catch (refusal) {
    await deps.rateLimit.consume(route, facts, undefined);
    const cause = invalidTokenCause(facts, deps.cookieName);
    if (cause !== undefined && isDomainError(refusal) && refusal.code === 'session_required') {
      const network = networkKey(facts.ip ?? '');
      await deps.events.record({
        kind: 'session_invalid',
        bucket: `${route.name} ${network} ${cause}`,
        route: `${route.method.toUpperCase()} ${route.path}`,
        network,
        userId: null,
        cause,
      });
    }
    throw refusal;
  }
  await deps.rateLimit.consume(route, facts, principal);
  return principal;
}

/** What is wrong with the token of a request that was refused for want of a session; undefined where it sent none. */
function invalidTokenCause(facts: RequestFacts, cookieName: string): 'malformed' | 'unknown_or_expired' | undefined {
  const sent = facts.header('authorization');
  if (sent === undefined) return facts.cookie(cookieName) === undefined ? undefined : 'unknown_or_expired';
  return /^Bearer [A-Za-z0-9_-]{43}$/.test(sent) ? 'unknown_or_expired' : 'malformed';
}

async function checkSignature(
  deps: AppDeps,
  route: Route,
  req: Request,
  body: Buffer,
  facts: RequestFacts,
  principal: Principal | undefined,
): Promise<void> {
  if (principal === undefined) throw new Error('a signed route needs a session, whose keys are asked');
  const received = { method: req.method, target: req.originalUrl, rawHeaders: req.rawHeaders, body };
  await deps.signature.check(received, principal, facts, route.path);
}

function answerError(deps: AppDeps, res: Response, facts: RequestFacts, error: unknown, place = 'no route'): void {
  const problem = problemReply(error, facts.requestId);
  if (problem.unexpected) {
    deps.log.error({ requestId: facts.requestId, err: error }, 'unexpected error');
    deps.telemetry.unexpectedError(error, { place, requestId: facts.requestId });
  }
  send(deps, res, facts, problem);
}

/** Bodies are JSON whatever Content-Type says, except the one a cross-site form can send without asking first. */
function parseJson(req: Request, raw: Buffer): unknown {
  if (raw.length === 0) return {};
  if (!req.is('application/json')) {
    throw new DomainError('malformed_body', 'Send the body as JSON with Content-Type: application/json.');
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch {
    throw new DomainError('malformed_body', 'The body is not well-formed JSON in UTF-8.');
  }
}

function validate(schema: Route['body'], value: unknown, where: 'body' | 'query' | 'path'): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (!result.success) throw validationError(result.error.issues, where);
  return result.data;
}

function send(deps: AppDeps, res: Response, facts: RequestFacts, reply: Reply): void {
  if (res.headersSent) return;
  res.status(reply.status);
  res.setHeader('X-Request-Id', facts.requestId);
  res.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(reply.headers ?? {})) res.setHeader(name, value);
  for (const cookie of reply.cookies ?? []) res.append('Set-Cookie', serialiseCookie(cookie, deps.production));
  if (reply.body === undefined) {
    res.end();
    return;
  }
  res.setHeader('Content-Type', reply.contentType ?? 'application/json; charset=utf-8');
  const isReady = typeof reply.body === 'string' || Buffer.isBuffer(reply.body);
  const body = isReady ? (reply.body as string | Buffer) : JSON.stringify(reply.body);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

/** Sends the head at once and then what `write` writes, until it is done or the client is gone. */
async function stream(
  res: Response,
  facts: RequestFacts,
  reply: Reply,
  write: NonNullable<Reply['stream']>,
): Promise<void> {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  res.status(reply.status);
  res.setHeader('X-Request-Id', facts.requestId);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Type', reply.contentType ?? 'text/plain; charset=utf-8');
  // Its connection serves nothing else afterwards, so a process that stops need not wait for it.
  res.setHeader('Connection', 'close');
  for (const [name, value] of Object.entries(reply.headers ?? {})) res.setHeader(name, value);
  res.flushHeaders();
  await write({
    write(text) {
      if (!res.writableEnded && !res.destroyed) res.write(text);
      return res.writableLength;
    },
    gone: gone.signal,
  });
  res.end();
}

function serialiseCookie(cookie: Cookie, secure: boolean): string {
  const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${cookie.maxAge}${secure ? '; Secure' : ''}`;
  return `${cookie.name}=${cookie.value}; ${attributes}`;
}
