import { SEVERITIES, type Severity } from '../domain/incident.ts';
import { iso, isoOrNull, oneRow, row, rows, type Tx } from './sql.ts';

/** Sessions that are counted at most: more are "more than that" to whoever looks, and would cost each look. */
export const SESSIONS_COUNTED = 100_000;

export interface LiveCounts {
  /** At most {@link SESSIONS_COUNTED} and one. */
  sessions: number;
  locked: number;
  restricted: number;
  held: number;
  /** Minor units of the base currency, of those holds whose amount in it is known. */
  held_amount: string;
  held_unvalued: number;
  next_deadline: string | null;
}

/** How many of what there are now. Each number comes from an index that holds little else. */
export function liveCounts(tx: Tx, baseCurrency: string): Promise<LiveCounts> {
  return oneRow<LiveCounts>(
    tx,
    `select s.sessions, l.locked, r.restricted, h.held, h.held_amount, h.held_unvalued, h.next_deadline
       from (select count(*)::integer as sessions from (
              select from session where revoked_at is null and expires_at > now() limit ${SESSIONS_COUNTED + 1}) open) s,
            (select count(*)::integer as locked from lockout where unlocked_at is null and locked_until > now()) l,
            (select count(*)::integer as restricted from restriction where lifted_at is null) r,
            (select count(*)::integer as held, min(review_by) as next_deadline,
                    coalesce(sum(base_amount) filter (where in_base), 0)::text as held_amount,
                    count(*) filter (where in_base is not true)::integer as held_unvalued
               from (select review_by, base_amount,
                            base_amount is not null and coalesce(settings ->> 'baseCurrency', currency) = $1 as in_base
                       from transaction where status = 'quarantined') each_hold) h`,
    [baseCurrency],
  );
}

/** Unresolved incidents by how grave they are and whether somebody has taken them up. */
export async function unresolvedIncidents(tx: Tx): Promise<Record<Severity, { open: number; investigating: number }>> {
  const found = await rows<{ severity: Severity; status: 'open' | 'investigating'; n: number }>(
    tx,
    `select severity, status, count(*)::integer as n from incident where status <> 'resolved' group by severity, status`,
  );
  const counted = (severity: Severity, status: string) =>
    found.find((one) => one.severity === severity && one.status === status)?.n ?? 0;
  return Object.fromEntries(
    SEVERITIES.map((severity) => [
      severity,
      { open: counted(severity, 'open'), investigating: counted(severity, 'investigating') },
    ]),
  ) as Record<Severity, { open: number; investigating: number }>;
}

/** Literals: each names a table and the measures that say how one of its stories went. */
const STORIES = {
  login: { table: 'login_tally', prefix: 'ended:' },
  transaction: { table: 'transaction_tally', prefix: 'decided:' },
} as const;
export type Story = keyof typeof STORIES;

export interface Outcomes {
  from: string;
  byOutcome: Record<string, number>;
}

/**
 * Logins by how they ended, or transactions by what was decided at once, of the last hour and the last 24. Both begin at
 * a border of ten minutes, up to that much earlier.
 */
export async function recentOutcomes(tx: Tx, story: Story): Promise<{ lastHour: Outcomes; last24Hours: Outcomes }> {
  const { table, prefix } = STORIES[story];
  const { hour, day } = await oneRow<{ hour: string; day: string }>(
    tx,
    `select date_bin('10 minutes', t - interval '1 hour', 'epoch'::timestamptz) as hour,
            date_bin('10 minutes', t - interval '24 hours', 'epoch'::timestamptz) as day from clock_timestamp() t`,
  );
  const found = await rows<{ outcome: string; hour: string | null; day: string }>(
    tx,
    `select substr(c.key, length($3) + 1) as outcome, sum(c.value::numeric)::text as day,
            sum(c.value::numeric) filter (where t.window_start >= $1::timestamptz)::text as hour
       from ${table} t cross join lateral jsonb_each_text(t.counts) c
      where t.window_start >= $2::timestamptz and starts_with(c.key, $3) group by c.key order by c.key`,
    [hour, day, prefix],
  );
  const of = (from: string, which: 'hour' | 'day'): Outcomes => ({
    from: iso(from),
    byOutcome: Object.fromEntries(found.map((one) => [one.outcome, Number(one[which] ?? 0)])),
  });
  return { lastHour: of(hour, 'hour'), last24Hours: of(day, 'day') };
}

export interface RiskBucket {
  /** Where it begins, RFC 3339. */
  at: string;
  scored: number;
  /** Hundredths. */
  scoreSum: number;
  scoreMax: number;
  highRisk: number;
}

/** Scores over time, in buckets of `bucketMs` (a multiple of ten minutes) that begin at multiples of it; none is missing. */
export async function riskOverTime(
  tx: Tx,
  story: Story,
  { windowMs, bucketMs, now }: { windowMs: number; bucketMs: number; now: number },
): Promise<RiskBucket[]> {
  const first = Math.floor((now - windowMs) / bucketMs) * bucketMs;
  const found = await rows<{ at: string; scored: string; score_sum: string; score_max: number; high_risk: string }>(
    tx,
    `select date_bin($2 * interval '1 ms', window_start, 'epoch'::timestamptz) as at, sum(scored) as scored,
            sum(score_sum) as score_sum, max(score_max) as score_max, sum(high_risk) as high_risk
       from ${STORIES[story].table} where window_start >= to_timestamp($1::float8 / 1000) group by 1`,
    [first, bucketMs],
  );
  const counted = new Map(found.map((one) => [Date.parse(one.at), one]));
  const buckets: RiskBucket[] = [];
  for (let at = first; at <= now; at += bucketMs) {
    const one = counted.get(at);
    buckets.push({
      at: new Date(at).toISOString(),
      scored: Number(one?.scored ?? 0),
      scoreSum: Number(one?.score_sum ?? 0),
      scoreMax: one?.score_max ?? 0,
      highRisk: Number(one?.high_risk ?? 0),
    });
  }
  return buckets;
}

export interface LastVerification {
  id: string;
  status: 'valid' | 'invalid';
  mode: 'full' | 'incremental' | 'range';
  checked: string;
  first_invalid_seq: string | null;
  reason: string | null;
  requested_by: string | null;
  finished_at: string;
}

/** The latest verification of the audit log that came to a result, and whether one is under way. */
export async function lastVerification(tx: Tx): Promise<{ last: LastVerification | undefined; isRunning: boolean }> {
  const last = await row<LastVerification>(
    tx,
    `select id, status, mode, checked, first_invalid_seq, reason, requested_by, finished_at from audit_verification
      where status in ('valid', 'invalid') order by requested_at desc limit 1`,
  );
  const running = await row(
    tx,
    `select from audit_verification where status in ('requested', 'running')
        and requested_at > now() - interval '2 days' order by requested_at desc limit 1`,
  );
  return { last, isRunning: running !== undefined };
}

/** When the newest entry of the audit log was sealed; null for an empty log. */
export async function lastSealedAt(tx: Tx): Promise<string | null> {
  const found = await row<{ at: string }>(tx, 'select sealed_at as at from audit_seal order by seq desc limit 1');
  return isoOrNull(found?.at ?? null);
}
