import type { Severity } from '../domain/incident.ts';
import { freezes, INDICATOR_WINDOW_HOURS, type IndicatorKind, LOCKOUTS_THAT_INDICATE } from '../domain/restriction.ts';
import { uuidV7 } from '../security/uuid.ts';
import { openIncident } from './incidents.ts';
import { activeRestriction, type Cause, freeze, lockForFreeze, type RestrictionDeps } from './restrictions.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** One sign that somebody else acts for an account. */
export interface FoundIndicator {
  kind: IndicatorKind;
  /** Business key of the evidence, `{workflowId}:{what}`: a repeat is the same indicator. */
  key: string;
  /** Ids, scores, counts. No personal data. */
  details: Record<string, unknown>;
}

/** What must be started because of it. */
export interface IndicatorConsequences {
  /** Restrictions that this call began. */
  restrictions: string[];
  incidents: { incidentId: string; severity: Severity }[];
}

/**
 * Records compromise indicators in the transaction that found them, and freezes the account in the same transaction once
 * two different kinds were found within 24 hours. Any number of callers at the same time queue on the person's row, so one
 * restriction comes of it; what is found while it holds is attached to it.
 *
 * The caller holds the person's row by `lockForFreeze` or an equal lock (never FOR SHARE), and no account's row that
 * another holder of the person's row could want.
 */
export async function recordIndicators(
  tx: Tx,
  deps: RestrictionDeps,
  userId: string,
  found: readonly FoundIndicator[],
  cause: Omit<Cause, 'actor'> = {},
): Promise<IndicatorConsequences> {
  const none: IndicatorConsequences = { restrictions: [], incidents: [] };
  if (found.length === 0) return none;
  const owner = await lockForFreeze(tx, userId);
  if (owner === undefined) throw new Error('an indicator is about somebody who exists');
  const fresh: FoundIndicator[] = [];
  for (const indicator of found) if (await insertIndicator(tx, userId, indicator)) fresh.push(indicator);
  if (fresh.length === 0) return none;
  const by = { ...cause, actor: { kind: 'system' } as const };
  await deps.audit.append(
    tx,
    ...fresh.map(({ kind, details }) => ({
      action: 'indicator.recorded',
      ...by,
      subject: { kind: 'user', id: userId },
      outcome: 'success' as const,
      details: { kind, ...details },
    })),
  );
  const active = await activeRestriction(tx, userId);
  if (active !== undefined) return attach(tx, deps, { restrictionId: active.id, userId, fresh });
  const kinds = await countingKinds(tx, userId);
  if (!freezes(kinds)) return none;
  const restrictionId = await freeze(
    tx,
    deps,
    owner,
    { origin: 'indicators', restrictedBy: null, reason: kinds.join(', '), details: { kinds } },
    by,
  );
  if (restrictionId === null) return none;
  await run(
    tx,
    `update compromise_indicator set restriction_id = $2 where user_id = $1 and restriction_id is null
       and at > clock_timestamp() - make_interval(hours => $3)`,
    [userId, restrictionId, INDICATOR_WINDOW_HOURS],
  );
  return { restrictions: [restrictionId], incidents: [] };
}

/** Whether the lockout that has just begun is, with those before it, an indicator. */
export async function isLockoutRepeated(tx: Tx, userId: string): Promise<boolean> {
  const { lockouts } = await oneRow<{ lockouts: number }>(
    tx,
    `select count(*)::int as lockouts from lockout
      where user_id = $1 and started_at > clock_timestamp() - make_interval(hours => $2)`,
    [userId, INDICATOR_WINDOW_HOURS],
  );
  return lockouts >= LOCKOUTS_THAT_INDICATE;
}

async function insertIndicator(tx: Tx, userId: string, { kind, key, details }: FoundIndicator): Promise<boolean> {
  const inserted = await row(
    tx,
    `insert into compromise_indicator (id, user_id, kind, key, details) values ($1, $2, $3, $4, $5::jsonb)
     on conflict (key) do nothing returning id`,
    [uuidV7(), userId, kind, key, JSON.stringify(details)],
  );
  return inserted !== undefined;
}

/** Kinds within the window that no earlier restriction has dealt with. */
async function countingKinds(tx: Tx, userId: string): Promise<IndicatorKind[]> {
  const found = await rows<{ kind: IndicatorKind }>(
    tx,
    `select distinct kind from compromise_indicator where user_id = $1 and restriction_id is null
       and at > clock_timestamp() - make_interval(hours => $2) order by kind`,
    [userId, INDICATOR_WINDOW_HOURS],
  );
  return found.map(({ kind }) => kind);
}

async function attach(
  tx: Tx,
  deps: RestrictionDeps,
  { restrictionId, userId, fresh }: { restrictionId: string; userId: string; fresh: readonly FoundIndicator[] },
): Promise<IndicatorConsequences> {
  const incidents: IndicatorConsequences['incidents'] = [];
  for (const { key, kind, details } of fresh) {
    await run(tx, 'update compromise_indicator set restriction_id = $2 where key = $1', [key, restrictionId]);
    const incident = await openIncident(tx, deps, {
      ...restrictionIncident(userId),
      details: { restrictionId, kind, ...details },
      key: `restriction:${restrictionId}:${key}`,
    });
    if (incident.opened || incident.raised) {
      incidents.push({ incidentId: incident.incidentId, severity: incident.severity });
    }
  }
  return { restrictions: [], incidents };
}

/** What every incident of a restriction is called by. */
export function restrictionIncident(userId: string) {
  return {
    cause: 'restriction',
    subjectKind: 'user',
    subjectId: userId,
    userId,
    title: 'Account frozen: it may be in the hands of somebody else',
  } as const;
}
