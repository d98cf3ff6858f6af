import { canReview } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { principalOf, type Route, route } from './route.ts';

/** What happens, as it happens: for the pages of staff. */
export function createEventRoutes({ feed }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/admin/security/events',
      name: 'followEvents',
      summary: 'Live events (text/event-stream): new holds, their ends, changes of incidents',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' },
      headers: {
        'last-event-id': {
          description: 'Id of the last event that was seen: what came since is told again',
          required: false,
        },
      },
      responses: {
        200: {
          description: 'Events `ready`, `hold`, `decision` and `incident`, each with an id; told at least once',
          mediaTypes: ['text/event-stream'],
        },
        429: { description: 'rate_limited: too many pages follow already' },
      },
      async handler(context) {
        const { userId, sessionId, role } = principalOf(context);
        feed.admit(userId);
        const lastEventId = context.request.header('last-event-id');
        return {
          status: 200,
          contentType: 'text/event-stream; charset=utf-8',
          // Proxies that buffer an answer would hold it back until it ends.
          headers: { 'X-Accel-Buffering': 'no' },
          stream: (sink) =>
            feed.follow({ userId, sessionId, lastEventId, sink, hello: { userId, canReview: canReview(role) } }),
        };
      },
    }),
  ];
}
