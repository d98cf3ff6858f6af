import { principalOf, type RouteContext } from './route.ts';

/** Who did it and where the request came from, as audit entries of a call that succeeded begin. */
export function traceOf(context: RouteContext) {
  const { requestId, ip, userAgent } = context.request;
  return {
    actor: { kind: 'user', id: principalOf(context).userId },
    outcome: 'success',
    ip,
    userAgent,
    requestId,
  } as const;
}
