import express, { type Express, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { DomainError } from '../domain/errors.ts';
import type { Authenticate } from './middleware/authenticate.ts';
import type { SignatureCheck } from './middleware/signature.ts';
import { problemReply, validationError } from './problem.ts';
import type { Cookie, Principal, Reply, RequestFacts, Route, RouteContext } from './route.ts';

export interface AppDeps {
  log: Logger;
  production: boolean;
  routes: readonly Route[];
  authenticate: Authenticate;
  signature: SignatureCheck;
  requestFacts: (req: Request) => RequestFacts;
}

const BODY_LIMIT = '64kb';

/** Builds the Express application without listening: validate, authorise, handle, answer, log; one path for all routes. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.use(
    helmet({ strictTransportSecurity: deps.production ? { maxAge: 31_536_000, includeSubDomains: true } : false }),
  );

  for (const route of deps.routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app[route.method](path, rawBody, (req, res) => serve(deps, route, req, res));
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

/** The exact bytes: signatures and idempotency are about what was received, not about what a parser made of it. */
const rawBody = express.raw({ type: () => true, limit: BODY_LIMIT });

async function serve(deps: AppDeps, route: Route, req: Request, res: Response): Promise<void> {
  const facts = deps.requestFacts(req);
  const started = performance.now();
  try {
    const principal = await deps.authenticate.authorize(route.access, facts, req.method);
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
    send(deps, res, facts, await route.handler(context));
  } catch (error) {
    answerError(deps, res, facts, error);
  } finally {
    deps.log.info(
      {
        requestId: facts.requestId,
        method: req.method,
        route: route.path,
        status: res.statusCode,
        ms: Math.round(performance.now() - started),
      },
      'request',
    );
  }
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

function answerError(deps: AppDeps, res: Response, facts: RequestFacts, error: unknown): void {
  const problem = problemReply(error, facts.requestId);
  if (problem.unexpected) deps.log.error({ requestId: facts.requestId, err: error }, 'unexpected error');
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
  res.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
}

function serialiseCookie(cookie: Cookie, secure: boolean): string {
  const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${cookie.maxAge}${secure ? '; Secure' : ''}`;
  return `${cookie.name}=${cookie.value}; ${attributes}`;
}
