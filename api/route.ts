import type { z } from 'zod';
import type { Role } from '../domain/roles.ts';

/**
 * Who may call a route. `public` needs no session. Everything else needs one of the roles; `passwordChange` also lets in
 * a session that was opened with a one-time password; `freshFactor` asks for a second factor within the last minutes.
 * What a caller may see of an object (ownership) is decided in the route's own query and stated in `ownership`.
 */
export type Access =
  | { kind: 'public' }
  | {
      kind: 'session';
      roles: readonly Role[];
      /** `own`: only objects of the caller; `any`: objects of everybody; `none`: the route names no object. */
      ownership: 'own' | 'any' | 'none';
      passwordChange?: boolean;
      freshFactor?: boolean;
      /** A password or a second factor within the last minutes: for what a stolen session must not set up for itself. */
      recentProof?: boolean;
      /** A program that scrapes metrics gets in with `METRICS_TOKEN` as its bearer token, and then has no principal. */
      machine?: 'metrics';
    };

/** The signed-in caller. */
export interface Principal {
  sessionId: string;
  userId: string;
  role: Role;
  email: string;
  fullName: string;
  scope: 'full' | 'password_change';
  channel: 'cookie' | 'bearer';
  factorAt: Date | null;
  /** When the session began, by a password. */
  since: Date;
}

/** What every handler is handed of the HTTP request, already validated. */
export interface RouteContext<P = unknown, Q = unknown, B = unknown> {
  params: P;
  query: Q;
  body: B;
  /** Exact bytes of the body as received. */
  rawBody: Buffer;
  principal: Principal | undefined;
  request: RequestFacts;
}

/** Facts about the request that logins, decisions and audit entries record. */
export interface RequestFacts {
  requestId: string;
  ip: string | null;
  userAgent: string | null;
  /** A browser (`Origin` or `Sec-Fetch-Site` present) gets cookies, other clients get tokens. */
  channel: 'cookie' | 'bearer';
  header: (name: string) => string | undefined;
  cookie: (name: string) => string | undefined;
}

export interface Cookie {
  name: string;
  value: string;
  /** Seconds; 0 deletes. */
  maxAge: number;
}

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  cookies?: Cookie[];
  /** For the few answers that are not JSON. */
  contentType?: string;
  /** Instead of a body: writes for as long as it likes; the answer ends when it resolves. */
  stream?: (sink: StreamSink) => Promise<void>;
}

/** Where a stream is written to. */
export interface StreamSink {
  /** @returns bytes that the client has not taken yet */
  write(text: string): number;
  /** Aborts when the client is gone. */
  gone: AbortSignal;
}

/** What a route may answer with one status. Errors are problem documents, whatever stands here. */
export interface RouteResponse {
  description: string;
  /** Of a JSON body. */
  schema?: z.ZodType;
  /** Of bodies that are not JSON, or whose JSON nobody describes. */
  mediaTypes?: readonly string[];
  /** Headers beside those of every answer. */
  headers?: readonly ResponseHeader[];
}

export type ResponseHeader =
  | 'RetryAfter'
  | 'Location'
  | 'IdempotencyReplayed'
  | 'SetCookie'
  | 'ETag'
  | 'ContentDisposition'
  | 'PreferenceApplied';

export interface RouteDefinition<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI style: `/api/devices/{id}`. */
  path: string;
  /** operationId and heading in the API reference. */
  name: string;
  summary: string;
  access: Access;
  /** Moves money or changes who can: refused unless the request is signed with one of the caller's keys. */
  signed?: true;
  /** The same, of those calls alone whose validated body says so. */
  signedIf?: (body: z.output<B>) => boolean;
  params?: P;
  query?: Q;
  body?: B;
  /**
   * Where calls a minute are counted: `shared` by all API processes (the default), `local` in this one for what must answer
   * without the database, `none` for liveness probes and what browsers load with a page.
   */
  limit?: 'shared' | 'local' | 'none';
  /** Reads a body of up to 2 MiB instead of 64 KiB, once the caller was let in. */
  largeBody?: true;
  /** Request headers beyond the session's that the route reads, by lower-case name. */
  headers?: Record<string, { description: string; required: boolean; pattern?: string }>;
  responses: Record<number, RouteResponse>;
  handler: (context: RouteContext<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Reply>;
}

/** A route whose schema types no longer matter: what the application mounts. */
export type Route = Omit<RouteDefinition, 'handler' | 'signedIf'> & {
  signedIf?: (body: unknown) => boolean;
  handler: (context: RouteContext) => Promise<Reply>;
};

/** Ties a handler to its schemas: the handler sees exactly what they let through. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  definition: RouteDefinition<P, Q, B>,
): Route {
  return definition as unknown as Route;
}

/** The caller of a route that needs a session. The application has refused everybody else before the handler runs. */
export function principalOf(context: RouteContext): Principal {
  if (context.principal === undefined) throw new Error('a route without a session asked for its caller');
  return context.principal;
}
