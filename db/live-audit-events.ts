import { rows, type Tx } from './sql.ts';

/**
 * What staff want to see at once of what the audit log records in the same transaction as the change itself, and which id
 * each event names. An action that happens at every sign-in or order is not here: `activity` stands for those.
 */
const EVENTS = {
  'review.claimed': 'review',
  'review.released': 'review',
  'review.assigned': 'review',
  'review.recorded': 'review',
  'review.noted': 'review',
  'transaction.labelled': 'review',
  'lockout.started': 'lockout',
  'lockout.unlock_requested': 'lockout',
  'lockout.ended': 'lockout',
  'account.restricted': 'restriction',
  'account.restored': 'restriction',
  'recovery.step_requested': 'restriction',
  'recovery.identity_verified': 'restriction',
  'recovery.password_link_sent': 'restriction',
  'recovery.password_reset': 'restriction',
  'recovery.factors_removed': 'restriction',
  'recovery.factors_enrolled': 'restriction',
  'login.denied': 'login',
  'user.created': 'account',
  'user.disabled': 'account',
  'user.enabled': 'account',
  'user.role_changed': 'account',
  'user.tier_changed': 'account',
  'user.mfa_reset': 'account',
  'user.password_reset': 'account',
  'rule_set.saved': 'rule_set',
  'rule_set.shadowed': 'rule_set',
  'rule_set.proposed': 'rule_set',
  'rule_set.live': 'rule_set',
  'rule_set.demoted': 'rule_set',
  'rule_set.retired': 'rule_set',
  'audit.checkpoint_published': 'checkpoint',
  'audit.checkpoint_refused': 'checkpoint',
} as const;
type Action = keyof typeof EVENTS;
export type RecordedKind = (typeof EVENTS)[Action];

/** An event that an audit entry stands for: ids, and what changed. */
export type RecordedEvent = { kind: RecordedKind; key: string; micros: number; change: string } & Partial<
  Record<'transactionId' | 'lockoutId' | 'loginId' | 'version' | 'name', string>
> & { userId?: string | null };

interface Row {
  id: string;
  micros: string;
  action: Action;
  subject: string;
  subject_kind: string;
  outcome: string;
  lockout_id: string | null;
  login_id: string | null;
}

/** Entries are filed by their ids, which begin with a time, and that clock may differ from the one of `at` by this much. */
const ID_SLACK_MS = 60_000;

/**
 * Events out of audit entries at or after an instant (microseconds since the epoch), oldest first. One probe of an index
 * for each action, in the months that there can be any in.
 */
export async function recordedEventsSince(tx: Tx, micros: number, limit: number): Promise<RecordedEvent[]> {
  const found = await rows<Row>(
    tx,
    `select e.id, (extract(epoch from e.at) * 1000000)::bigint as micros, e.action, e.subject, e.outcome,
            e.entry::jsonb #>> '{subject,kind}' as subject_kind, e.entry::jsonb #>> '{details,lockoutId}' as lockout_id,
            e.entry::jsonb #>> '{details,loginId}' as login_id
       from unnest($1::text[]) as a (action) cross join lateral (
         select id, at, action, subject, outcome, entry from audit_entry
          where action = a.action and at >= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond' and id >= $3::uuid
          order by at, id limit $4) e
      order by e.at, e.id limit $4`,
    [Object.keys(EVENTS), micros, firstIdAt(Math.floor(micros / 1000) - ID_SLACK_MS), limit],
  );
  return found.filter(isTold).map(eventOf);
}

/** What was refused changed nothing, but for a login: that it was denied is the event. */
function isTold({ action, outcome }: Row): boolean {
  return outcome === 'success' || action === 'login.denied' || action === 'audit.checkpoint_refused';
}

function eventOf(one: Row): RecordedEvent {
  const kind = EVENTS[one.action];
  const userId = one.subject_kind === 'user' ? one.subject : null;
  const change = one.action.slice(one.action.indexOf('.') + 1);
  const event = { kind, key: `audit:${one.id}`, micros: Number(one.micros), change };
  switch (kind) {
    case 'review':
      return { ...event, transactionId: one.subject };
    case 'lockout':
      return { ...event, ...(one.lockout_id === null ? {} : { lockoutId: one.lockout_id }), userId };
    case 'login':
      return { ...event, ...(one.login_id === null ? {} : { loginId: one.login_id }), userId };
    case 'restriction':
    case 'account':
      return { ...event, userId };
    case 'rule_set':
      return { ...event, version: one.subject };
    case 'checkpoint':
      return { ...event, change: change.replace('checkpoint_', ''), name: one.subject };
  }
}

/** The smallest UUIDv7 of a millisecond. */
function firstIdAt(millis: number): string {
  const hex = Math.max(0, millis).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
