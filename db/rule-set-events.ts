import { rows, run, type Tx } from './sql.ts';

export const RULE_SET_EVENTS = ['saved', 'shadow', 'proposed', 'live', 'retired', 'demoted'] as const;
export type RuleSetEventKind = (typeof RULE_SET_EVENTS)[number];

/** A line in a version's life. `actor` null: the program itself. */
export interface RuleSetEvent {
  version: string;
  kind: RuleSetEventKind;
  actor: string | null;
  proposalId?: string;
  details?: Record<string, unknown>;
}

/**
 * One change of versions at a time, over all processes, until the caller's transaction ends. Decisions never wait for it:
 * they read which version is live and go by that.
 */
export async function lockRuleSets(tx: Tx): Promise<void> {
  await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.rule-sets'))`);
}

/** Adds a line that nobody can change. */
export async function recordRuleSetEvent(tx: Tx, event: RuleSetEvent): Promise<void> {
  await run(
    tx,
    'insert into rule_set_event (version, kind, actor, proposal_id, details) values ($1, $2, $3, $4, $5::jsonb)',
    [event.version, event.kind, event.actor, event.proposalId ?? null, JSON.stringify(event.details ?? {})],
  );
}

/** A version's life, oldest first. */
export function eventsOf(tx: Tx, version: string) {
  return rows<{ kind: RuleSetEventKind; at: string; actor: string | null; details: Record<string, unknown> }>(
    tx,
    'select kind, at, actor, details from rule_set_event where version = $1 order by id',
    [version],
  );
}
