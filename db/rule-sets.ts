import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { oneRow, row, rows, type Tx } from './sql.ts';

export const RULE_SET_STATUSES = ['draft', 'shadow', 'live', 'retired'] as const;
export type RuleSetStatus = (typeof RULE_SET_STATUSES)[number];

/** A version's document, as it was saved. */
export async function readDocument(tx: Tx, version: string): Promise<RuleSetDocument> {
  return (
    await oneRow<{ document: RuleSetDocument }>(tx, 'select document from rule_set where version = $1', [version])
  ).document;
}

/** A version's document, or undefined where there is no such version. */
export async function findDocument(tx: Tx, version: string): Promise<RuleSetDocument | undefined> {
  return (await row<{ document: RuleSetDocument }>(tx, 'select document from rule_set where version = $1', [version]))
    ?.document;
}

/** The versions that decide now: one live, any number in the shadow. */
export async function activeVersions(tx: Tx): Promise<{ live: string; shadows: string[] }> {
  const found = await rows<{ version: string; status: 'live' | 'shadow' }>(
    tx,
    `select version, status from rule_set where status in ('live', 'shadow') order by version`,
  );
  return pick(found);
}

function pick(found: readonly { version: string; status: 'live' | 'shadow' }[]): { live: string; shadows: string[] } {
  const live = found.find(({ status }) => status === 'live');
  if (live === undefined) throw new Error('no rule set is live');
  return {
    live: live.version,
    shadows: found.filter(({ status }) => status === 'shadow').map(({ version }) => version),
  };
}

/** What a decision goes by besides the states: the versions, the population's day, and how the person came in. */
export interface DecisionContext {
  readonly live: string;
  readonly shadows: readonly string[];
  readonly populationDay: number;
  /** Hundredths; null where the session has no login of ours. */
  readonly loginScore: number | null;
  readonly loginAtMicros: string | null;
  readonly accessChangedAtMicros: string | null;
}

const MICROS = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint::text`;

/** Everything in one statement: a decision is waited for. */
export async function decisionContext(
  tx: Tx,
  request: { readonly userId: string; readonly sessionId: string | null },
): Promise<DecisionContext> {
  const found = await oneRow<{
    versions: { version: string; status: 'live' | 'shadow' }[] | null;
    population_day: number | null;
    login_score: number | null;
    login_at: string | null;
    changed_at: string | null;
  }>(
    tx,
    `select (select jsonb_agg(jsonb_build_object('version', version, 'status', status) order by version)
               from rule_set where status in ('live', 'shadow')) as versions,
            (select max(day) from risk_population) as population_day,
            l.score as login_score, ${MICROS('s.created_at')} as login_at,
            ${MICROS(`greatest(u.password_changed_at, d.first_seen_at,
               (select max(confirmed_at) from totp_factor f where f.user_id = u.id),
               (select max(created_at) from webauthn_credential w where w.user_id = u.id),
               (select max(created_at) from signing_key k where k.user_id = u.id and k.created_at > u.created_at),
               (select payout_changed_at from profile p where p.user_id = u.id))`)} as changed_at
       from app_user u
       left join session s on s.id = $2 and s.user_id = u.id
       left join login l on l.id = s.login_id
       left join device d on d.id = s.device_id
      where u.id = $1`,
    [request.userId, request.sessionId],
  );
  return {
    ...pick(found.versions ?? []),
    populationDay: found.population_day ?? 0,
    loginScore: found.login_score,
    loginAtMicros: found.login_at,
    accessChangedAtMicros: found.changed_at,
  };
}
