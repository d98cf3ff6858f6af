import { canReview } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { principalOf, type Route, route } from './route.ts';

const DESCRIPTION = `Events, each with an id, told at least once, ids and kinds and no personal data:
\`ready\` first; \`hold\` and \`decision\` of a transaction; \`incident\` with what changed; \`review\` (claimed, released, assigned,
recorded, noted, labelled); \`lockout\` (started, unlock_requested, ended); \`restriction\` (restricted, restored, the steps of a
recovery); \`login\` (denied); \`account\` (created, disabled, role_changed and the like); \`rule_set\` with its version;
\`checkpoint\` of the audit log (published, refused); \`run\` of a backup, restore drill, key rotation, audit verification, back-test
or bundle of evidence, with its progress and its end. What comes too often to tell each of is told at most once in a look, of
which there are two in a second: \`activity\` (of: login, transaction) and \`refusal\` (rate_limited, session_invalid,
signature_invalid). \`sealer\` tells every two seconds of a sealer that is behind, and once when it has caught up.`;

/** What happens, as it happens: for the pages of staff. */
export function createEventRoutes({ feed }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/admin/security/events',
      name: 'followEvents',
      summary: 'Live events (text/event-stream): what staff want to see as it happens',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' },
      headers: {
        'last-event-id': {
          description: 'Id of the last event that was seen: what came since is told again',
          required: false,
        },
      },
      responses: {
        200: { description: DESCRIPTION, mediaTypes: ['text/event-stream'] },
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
