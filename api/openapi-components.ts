import { z } from 'zod';
import { pageQuery } from './cursor.ts';
import type { Header, JsonSchema, Parameter, Reference, ResponseObject } from './openapi-document.ts';

/** What the whole document says of itself. */
export const DESCRIPTION = `Amounts are decimal strings, times RFC 3339 in UTC, errors \`application/problem+json\` (RFC 9457).

Programs sign in with \`POST /api/auth/login\` and send the token that they get as a bearer. Browsers get a cookie that no script
sees; with it, writes need the \`X-CSRF-Token\` of \`GET /api/auth/csrf\` and the \`Origin\` of this site. Calls that move money or
change who can are signed besides, with a key of \`POST /api/signing-keys\`.

In production everything travels over TLS: a GET over plain HTTP is sent to the same address on https (301), anything else is
refused (426).`;

/** The groups of calls, in the order of the reference. */
export const TAGS: Readonly<Record<string, string>> = {
  auth: 'Registration, sign-in, factors, passwords, recovery and sessions.',
  profile: 'Who the caller is, and what they may move.',
  devices: 'Devices that the caller signed in on.',
  'signing-keys': 'Keys that sign what moves money.',
  portfolio: 'What the caller holds.',
  transactions:
    'Trades, deposits, withdrawals and transfers: ask, confirm, cancel, appeal; verdicts and labels of staff.',
  instruments: 'What can be traded, at which price.',
  prices: 'Prices that administrators import.',
  'exchange-rates': 'What other currencies are in the base currency.',
  reviews: 'Held transactions: the queue, cases, claims, notes.',
  incidents: 'Security incidents and the evidence of them.',
  accounts: 'Accounts as staff see them: what they have open, locks, restrictions.',
  lockouts: 'Locks that hold now.',
  console: 'What the pages of staff begin with.',
  users: 'Accounts of people, for administrators.',
  dashboard: 'What happens, summed up for staff.',
  events: 'What happens, as it happens.',
  'rule-sets': 'Versions of the rules that score transactions: drafts, shadows, back-tests, approval.',
  rules: 'How often each rule was right.',
  'audit-logs': 'The audit log: search, proofs, checkpoints, verification.',
  backups: 'Backups and restore drills.',
  keys: 'Keys of the program and their rotation.',
  performance: 'How fast this process answers, and what waits.',
  'task-queue': 'Queues and workflows.',
  metrics: 'Everything that is counted, for a scraper.',
  health: 'Which part is up or down.',
  payments: 'For the payment provider alone.',
  reference: 'This description.',
};

const uuid: JsonSchema = { type: 'string', format: 'uuid' };
const signature = (name: string, required: boolean, description: string, schema: JsonSchema): Parameter => ({
  name,
  in: 'header',
  required,
  description,
  schema,
});

/** The signature of a call that must have one. */
export const SIGNATURE_PARAMETERS: Readonly<Record<string, Parameter>> = {
  Signature: signature('X-Signature', true, 'HMAC-SHA256 in hex of what docs/request-signing.md lists', {
    type: 'string',
    pattern: '^[0-9a-f]{64}$',
  }),
  SignatureTimestamp: signature('X-Timestamp', true, 'Unix seconds', { type: 'string', pattern: '^\\d{10}$' }),
  SignatureNonce: signature('X-Nonce', true, 'Drawn anew for every request', uuid),
  SignatureAlgorithm: signature('X-Algorithm', true, 'The one there is', { type: 'string', enum: ['sha256'] }),
  SignatureKeyId: signature('X-Key-Id', false, 'May be left out by who has exactly one active key', uuid),
};

/** Parameters that many operations have; one of an operation that is the same as one of these refers to it. */
export const PARAMETERS: Record<string, Parameter> = {
  ...SIGNATURE_PARAMETERS,
  Limit: pageParameter('limit'),
  Cursor: pageParameter('cursor'),
};

function pageParameter(name: keyof typeof pageQuery): Parameter {
  const { $schema: _dialect, description = '', ...schema } = z.toJSONSchema(pageQuery[name], { io: 'input' });
  return { name, in: 'query', required: false, description, schema };
}

/** Headers of answers. */
export const HEADERS = {
  RequestId: {
    description: 'The request in our logs; the one that was sent along, where it is fit',
    schema: { type: 'string' },
  },
  RetryAfter: { description: 'Seconds to wait before the next try', schema: { type: 'integer', minimum: 1 } },
  Location: { description: 'Where to look again', schema: { type: 'string' } },
  IdempotencyReplayed: {
    description: '`true` where this key was used before: the answer is that of the first time',
    schema: { type: 'string', enum: ['true'] },
  },
  SetCookie: {
    description: 'Browsers only: the session, or the device, out of reach of scripts',
    schema: { type: 'string' },
  },
  ETag: { description: 'SHA-256 of the file, hex', schema: { type: 'string', pattern: '^"[0-9a-f]{64}"$' } },
  ContentDisposition: { description: 'The name of the file', schema: { type: 'string' } },
  PreferenceApplied: {
    description: 'What of `Prefer` was followed (RFC 7240)',
    schema: { type: 'string', enum: ['respond-async'] },
  },
} as const satisfies Record<string, Header>;

/** The names of those as they are sent. */
export const HEADER_NAMES: Readonly<Record<keyof typeof HEADERS, string>> = {
  RequestId: 'X-Request-Id',
  RetryAfter: 'Retry-After',
  Location: 'Location',
  IdempotencyReplayed: 'Idempotency-Replayed',
  SetCookie: 'Set-Cookie',
  ETag: 'ETag',
  ContentDisposition: 'Content-Disposition',
  PreferenceApplied: 'Preference-Applied',
};

export const headerReferences = (...names: (keyof typeof HEADERS)[]): Record<string, Reference> =>
  Object.fromEntries(names.map((name) => [HEADER_NAMES[name], { $ref: `#/components/headers/${name}` }]));

export const PROBLEM_CONTENT = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
} as const;

const problem = (description: string, ...headers: (keyof typeof HEADERS)[]): ResponseObject => ({
  description,
  headers: headerReferences('RequestId', ...headers),
  content: PROBLEM_CONTENT,
});

/** What the frame may answer to any call, by the name that the statuses have. */
export const RESPONSES = {
  BadRequest: problem('Not as described here: `validation_failed`, `malformed_body`, `invalid_cursor`'),
  Unauthorized: problem('`session_required`: no session, or one that has ended'),
  Forbidden: problem(
    'Not for this caller, or not without more proof: `forbidden`, `step_up_needed`, `csrf_invalid` and others',
  ),
  NotFound: problem('`not_found`'),
  UpgradeRequired: problem('`tls_required`: use https'),
  TooManyRequests: problem('`rate_limited`', 'RetryAfter'),
  InternalServerError: problem('`internal_error`: something went wrong on our side'),
  ServiceUnavailable: problem('Something that is needed does not answer; nothing was changed, try again', 'RetryAfter'),
} satisfies Record<string, ResponseObject>;

export const SECURITY_SCHEMES: Record<string, JsonSchema> = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The session token of POST /api/auth/login.' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: 'tradeguard',
    description: '`__Host-tradeguard` in production. Writes also need `X-CSRF-Token` and a same-origin `Origin`.',
  },
  csrf: {
    type: 'apiKey',
    in: 'header',
    name: 'X-CSRF-Token',
    description: 'The token of GET /api/auth/csrf, with every write that a cookie opens.',
  },
  metrics: { type: 'http', scheme: 'bearer', description: '`METRICS_TOKEN`, for who scrapes /metrics.' },
};
