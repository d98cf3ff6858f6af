import { z } from 'zod';

const share = z.number().min(0).max(1);
const hundredths = z.int().min(0).max(100);
const money = z.string().regex(/^\d+\.\d\d$/);
const time = z.iso.datetime();
const rate = z.strictObject({
  slots: z.int(),
  total: z.int(),
  mean: z.number(),
  p50: z.int(),
  p95: z.int(),
  p99: z.int(),
  max: z.int(),
});
const quality = {
  above: hundredths,
  flagged: z.int(),
  truePositives: z.int(),
  falsePositives: z.int(),
  falseNegatives: z.int(),
  precision: share.nullable(),
  recall: share.nullable(),
  f1: share.nullable(),
  falsePositiveRate: share.nullable(),
};
const change = z.strictObject({ count: z.int(), value: money, frauds: z.int() });
const action = z.enum(['settle', 'step_up', 'quarantine', 'step_up_then_quarantine']);
const example = z.strictObject({
  id: z.string(),
  at: time,
  account: z.string(),
  counterparty: z.string(),
  amount: money,
  label: z.enum(['fraud', 'clean', 'unknown']),
  scenario: z.string().nullable(),
  score: hundredths,
  action,
  reasons: z.array(z.string()),
  baseScore: hundredths,
  baseAction: action,
  baseReasons: z.array(z.string()),
});
const counted = { count: z.int(), share };
const range = z.strictObject({ from: time, to: time });

/** The shape that docs/backtest.md promises. */
export const resultSchema = z.strictObject({
  format: z.literal('tradeguard-backtest/1'),
  complete: z.boolean(),
  currency: z.literal('USD'),
  rows: z.strictObject({
    read: z.int(),
    period: z.int(),
    tested: z.int(),
    frauds: z.int(),
    accounts: z.int(),
    counterparties: z.int(),
  }),
  period: range.nullable(),
  test: range.nullable(),
  base: z.string(),
  reviewers: z.int(),
  ruleSets: z.array(
    z.strictObject({
      version: z.string(),
      title: z.string(),
      thresholds: z.strictObject({ factorAbove: hundredths, reviewAbove: hundredths, escalateAbove: hundredths }),
      decisions: z.strictObject({
        settled: z.strictObject(counted),
        stepUp: z.strictObject(counted),
        held: z.strictObject({ ...counted, value: money }),
        byAction: z.record(action, z.int()),
        errors: z.int(),
      }),
      againstBase: z.strictObject({ newlyHeld: change, newlyReleased: change }),
      rules: z.array(
        z.strictObject({
          id: z.string(),
          title: z.string(),
          fired: z.int(),
          share,
          frauds: z.int(),
          errors: z.int(),
          points: z.array(z.tuple([z.int(), z.int()])),
        }),
      ),
      quality: z.strictObject({
        averagePrecision: share.nullable(),
        auc: share.nullable(),
        thresholds: z.array(z.strictObject({ name: z.enum(['step-up', 'held', 'escalated']), ...quality })).length(3),
        sweep: z.array(z.strictObject({ ...quality, alertsPerDay: z.number() })).length(20),
        scenarios: z.array(
          z.strictObject({
            scenario: z.string(),
            rows: z.int(),
            frauds: z.int(),
            heldFrauds: z.int(),
            recall: share.nullable(),
          }),
        ),
        scores: z.strictObject({ fraud: z.array(z.int()).length(101), clean: z.array(z.int()).length(101) }),
      }),
      alerts: z.strictObject({
        perDay: rate,
        perReviewer: z.strictObject({ mean: z.number(), p50: z.number(), p95: z.number(), max: z.number() }),
        byDay: z.array(z.tuple([z.iso.date(), z.int()])),
      }),
      forecast: z.strictObject({ heldPerHour: rate }),
      examples: z.strictObject({
        newlyHeld: z.array(example).max(10),
        newlyReleased: z.array(example).max(10),
        missedFraud: z.array(example).max(10),
      }),
    }),
  ),
});
