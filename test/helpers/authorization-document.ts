import { ROLES } from '../../domain/roles.ts';
import type { Rule } from './authorization-table.ts';

const INTRODUCTION = `# Who may do what

One table for every route. \`test/api/authorization.test.ts\` holds it against the running API, every cell of it: a route
without a row fails the test, and so does a row without a route. The text is made from
\`test/helpers/authorization-table.ts\`; \`npx vitest run --project servers test/api/authorization.test.ts -u\` writes it anew.

What the columns say:

- **nobody**: no session. Without a ✓ the answer is 401 \`session_required\`.
- **Roles**: ✓ may call the route, any other role gets 403 \`forbidden\`. \`importer\` exists outside production alone.
- **Objects**: \`own\` means the caller's own; an object of somebody else answers 404, as one that does not exist. \`any\`
  means everybody's. \`none\` means the route is about nobody's objects in particular.
- **Conditions**:
  - *fresh factor*: a second factor within \`STEP_UP_FRESHNESS\`, else 403 \`step_up_needed\`;
  - *recent proof*: that, or a sign-in within the same time, else 403 \`step_up_needed\`;
  - *signed*: a request signature by one of the caller's keys, else 401 \`signature_invalid\`; *signed payout account*: where it
    changes that;
  - *one-time password*: a session that was opened with a one-time password may call it, too; everywhere else it gets 403
    \`password_change_required\`;
  - *scraper*: the bearer token \`METRICS_TOKEN\` gets in, too.

A session in a cookie writes only with the \`Origin\` of this installation and the session's own \`X-CSRF-Token\`, on every
route; otherwise 403 \`origin_refused\` or \`csrf_invalid\`. That includes no public route: what needs no session looks at none.
Beyond the table, nobody reviews, labels or reads the case of a transaction of their own (403 \`own_transaction\`), nobody decides about
the appeal against their own rejection (403 \`decided_before\`), and no administrator restricts or
restores their own account or changes the tier of their own limits (403 \`own_account\`).
`;

/** The table as docs/authorization.md shows it. */
export function authorizationDocument(table: Readonly<Record<string, Rule>>): string {
  const head = ['Route', 'nobody', ...ROLES, 'Objects', 'Conditions'];
  const lines = Object.entries(table).map(([route, { roles, objects, conditions, ...rule }]) =>
    line([
      `\`${route}\``,
      rule.public ? '✓' : '',
      ...ROLES.map((role) => (rule.public || roles.includes(role) ? '✓' : '')),
      rule.public ? '' : objects,
      conditions.join(', '),
    ]),
  );
  return [INTRODUCTION, line(head), line(head.map(() => '---')), ...lines, ''].join('\n');
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
