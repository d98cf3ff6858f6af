import type { z } from 'zod';
import type { RefusalGroups } from '../db/dashboard-api-security.ts';
import type { AttemptRow } from '../db/dashboard-auth.ts';
import type { RiskyRow, Tally } from '../db/dashboard-transactions.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { displayExponent } from '../db/transactions.ts';
import { formatAmount } from '../domain/money.ts';
import { explainReason } from '../domain/risk/explanation.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { TRANSACTION_STATUSES, TRANSACTION_TYPES } from '../domain/transaction.ts';
import type { GeoLookup } from '../platform/geo-port.ts';
import { workflowIds } from '../workflows/contract.ts';
import type { transactionsDashboard } from './dashboard-schema.ts';

const explain = (reasons: readonly Reason[], currency: string) =>
  reasons.filter(({ points, note }) => points > 0 || note === 'error').map((reason) => explainReason(reason, currency));

/** A login as the dashboard lists it. */
export function attemptView(one: AttemptRow) {
  return {
    loginId: one.id,
    workflowId: workflowIds.login(one.id),
    userId: one.user_id,
    subject: one.subject,
    status: one.status,
    channel: one.channel,
    score: one.score === null ? null : scoreAsFraction(one.score),
    explanation: explain(one.reasons, ''),
    reasons: one.reasons as unknown as Record<string, unknown>[],
    ruleSetVersion: one.rule_set_version,
    deviceFinding: one.device_finding,
    ip: one.ip,
    network: one.network,
    userAgent: one.user_agent,
    place: placeView(one.place),
    startedAt: iso(one.started_at),
    finishedAt: isoOrNull(one.finished_at),
  };
}

function placeView(lookup: GeoLookup | null) {
  if (lookup === null || !('place' in lookup)) return null;
  const { latitude, longitude, accuracyKm, country, region, flags } = lookup.place;
  return {
    ...{ latitude, longitude, country, flags: [...flags] },
    accuracyKm: accuracyKm ?? null,
    region: region ?? null,
  };
}

/** The failures of one network. */
export function networkView(one: { network: string | null; failures: number; while_locked: number; subjects: number }) {
  return { network: one.network, failures: one.failures, whileLocked: one.while_locked, accounts: one.subjects };
}

/** A suspicious transaction as the dashboard lists it. */
export function riskyView(one: RiskyRow) {
  return {
    transactionId: one.id,
    workflowId: workflowIds.transaction(one.id),
    userId: one.user_id,
    accountId: one.account_id,
    type: one.type,
    amount: one.amount === null ? null : formatAmount(BigInt(one.amount), displayExponent(one.currency)),
    currency: one.currency,
    category: one.category,
    status: one.status,
    code: one.code,
    score: scoreAsFraction(one.score),
    explanation: explain(one.reasons, one.base_currency),
    reasons: one.reasons as unknown as Record<string, unknown>[],
    ruleSetVersion: one.rule_set_version,
    createdAt: iso(one.created_at),
    heldAt: isoOrNull(one.held_at),
    reviewBy: isoOrNull(one.review_by),
  };
}

/** For a kind whose cause says nothing more. */
export function withoutCauses({ byCause: _, ...rest }: RefusalGroups) {
  return rest;
}

/** The tally in words. Its measures are named by the trigger that counts them (db/migrations/0009-dashboard.ts). */
export function statistics({
  from,
  to,
  counts,
}: Tally): Pick<z.output<typeof transactionsDashboard>, 'last24Hours' | 'anomalies'> {
  const number = (measure: string): number => Number(counts.get(measure) ?? 0n);
  const startingWith = (prefix: string) =>
    [...counts].flatMap(([measure, n]) =>
      measure.startsWith(prefix) ? [[measure.slice(prefix.length), n] as const] : [],
    );
  const byDecision = TRANSACTION_STATUSES.map((status) => [status, number(`decided:${status}`)] as const);
  const total = byDecision.reduce((sum, [, n]) => sum + n, 0);
  const rules = new Set([...startingWith('rule:'), ...startingWith('rule_error:')].map(([ruleId]) => ruleId));
  return {
    last24Hours: {
      from: iso(from),
      to: iso(to),
      total,
      byDecision: Object.fromEntries(byDecision) as Record<(typeof TRANSACTION_STATUSES)[number], number>,
      byType: Object.fromEntries(TRANSACTION_TYPES.map((type) => [type, number(`type:${type}`)])) as Record<
        (typeof TRANSACTION_TYPES)[number],
        number
      >,
      ended: { settled: number('ended:settled'), rejected: number('ended:rejected') },
      heldAfterStepUp: number('held:after_step_up'),
      rejectedByCode: Object.fromEntries(startingWith('rejected:').map(([code, n]) => [code, Number(n)])),
      settledVolume: startingWith('settled:').map(([currency, minor]) => ({
        currency,
        amount: formatAmount(minor, displayExponent(currency)),
      })),
      highRisk: number('risk:high'),
      flagged: number('risk:flagged'),
      escalated: number('risk:escalated'),
    },
    anomalies: [...rules]
      .map((ruleId) => ({
        ruleId,
        fired: number(`rule:${ruleId}`),
        share: total === 0 ? 0 : Math.round((number(`rule:${ruleId}`) / total) * 10_000) / 10_000,
        errors: number(`rule_error:${ruleId}`),
      }))
      .sort((a, b) => b.fired - a.fired),
  };
}
