import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { createRequestFacts } from './request-facts.ts';

export interface AccessLogDeps {
  log: Logger;
  requestFacts: ReturnType<typeof createRequestFacts>;
}

/**
 * One line for every request and what was answered, refusals at the very door included. Routes are written as patterns, so
 * that no id, token or query of an address lies in the log; bodies and headers are not written at all. The handler leaves
 * `route` and `userId` in `res.locals`.
 */
export function createAccessLog({ log, requestFacts }: AccessLogDeps): RequestHandler {
  return (req, res, next) => {
    const { requestId, ip, userAgent } = requestFacts(req);
    const started = performance.now();
    res.once('close', () => {
      const { route = 'none', userId } = res.locals;
      log.info(
        {
          requestId,
          method: req.method,
          route,
          status: res.statusCode,
          ms: Math.round(performance.now() - started),
          bytes: { in: Number(req.headers['content-length'] ?? 0), out: Number(res.getHeader('Content-Length') ?? 0) },
          userId,
          ip,
          userAgent,
          // The client was gone before it had the whole answer.
          ...(res.writableFinished ? {} : { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}
