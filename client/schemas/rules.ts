import type { TransactionAction } from './general.ts';

/**
 * The API's objects by name: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * `npx vitest run --project servers test/client/operations.test.ts -u` writes it anew.
 */

export interface Backtest {
  backtestId: string;
  workflowId: string;
  version: string;
  sha256: string;
  from: string;
  to: string;
  status: "requested" | "running" | "succeeded" | "failed" | "cancelled";
  rowsDone: number;
  rowsTotal: number | null;
  requestedBy: string | null;
  requestedAt: string;
  finishedAt: string | null;
  reason: string | null;
  result: BacktestResult | null;
}

export interface BacktestList { items: Backtest[]; nextCursor: string | null }

/** What it would have done in the period, beside the version that was live when it was made */
export interface BacktestResult {
  rows: number;
  held: number;
  forecast: { perHour: { mean: number; p50: number; p99: number; max: number }; share: number; [member: string]: unknown };
  rules: { ruleId: string; fired: number; share: number; [member: string]: unknown }[];
  against: { version: string; held: number; newlyHeld: number; newlyReleased: number; scores?: { fraud: number[]; clean: number[]; [member: string]: unknown } | undefined; [member: string]: unknown };
  scores?: { fraud: number[]; clean: number[]; unknown: number[]; [member: string]: unknown } | undefined;
  labels: { fraud: number; clean: number; unknown: number; [member: string]: unknown };
  quality: { precision: number | null; recall: number | null; averagePrecision: number | null; auc: number | null; [member: string]: unknown };
  [member: string]: unknown;
}

export interface RulePrecision {
  ruleId: string;
  ruleSetVersion: string;
  fired: number;
  held: number;
  labels: { confirmed_fraud: number; false_positive: number; inconclusive: number; unknown: number };
  precision: { value: number; low: number; high: number } | null;
}

export interface RuleSet {
  version: string;
  title: string;
  status: "draft" | "shadow" | "live" | "retired";
  origin: "published" | "created";
  sha256: string;
  rules: number;
  createdBy: string | null;
  createdAt: string;
  statusAt: string;
  lately: RuleSetUse;
}

export interface RuleSetDetail {
  version: string;
  title: string;
  status: "draft" | "shadow" | "live" | "retired";
  origin: "published" | "created";
  sha256: string;
  rules: number;
  createdBy: string | null;
  createdAt: string;
  statusAt: string;
  lately: RuleSetUse;
  document: Record<string, unknown>;
  proposal: RuleSetProposal | null;
  events: ({ kind: "saved" | "shadow" | "proposed" | "live" | "retired" | "demoted"; at: string; actor: string | null; details: Record<string, unknown> })[];
}

export interface RuleSetDiff {
  version: string;
  against: string;
  rules: { added: string[]; removed: string[]; changed: { id: string; members: RuleSetMemberChange[] }[] };
  lists: { added: string[]; removed: string[]; changed: ({ name: string; added: number; removed: number; changed: number; examples: ({ change: "added" | "removed" | "changed"; value: string })[]; members: RuleSetMemberChange[] })[] };
  members: RuleSetMemberChange[];
}

export interface RuleSetDocument {
  format: "tradeguard-rules/1";
  title: string;
  description: string;
  thresholds: { factorAbove: number; reviewAbove: number; escalateAbove: number; highRiskAbove: number };
  base?: number | undefined;
  params?: Record<string, number> | undefined;
  lists?: ({ name: string; effect: "allow" | "deny" | "tag"; match: "account" | "counterparty" | "instrument" | "category" | "ip"; entries: ({ value: string; until?: string | undefined; note?: string | undefined })[] })[] | undefined;
  rules: ({ id: string; title: string; when?: string | undefined; points?: number | undefined; of?: string | undefined; bands?: { above: number; points: number }[] | undefined; explain?: { value?: string | undefined; baseline?: string | undefined; threshold?: string | undefined; unit?: "money" | "count" | "ratio" | "share" | "days" | "hours" | "text" | "flag" | undefined } | undefined; notes?: ({ when: string; note: "no_history" | "few_prior" })[] | undefined })[];
}

export interface RuleSetFault { pointer: string; message: string; position?: number | undefined }

export interface RuleSetList { items: RuleSet[] }

export interface RuleSetMemberChange { pointer: string; from?: unknown | undefined; to?: unknown | undefined }

export interface RuleSetProposal {
  proposalId: string;
  version: string;
  reportId: string;
  replaces: string;
  reason: string;
  proposedBy: string;
  proposedAt: string;
}

export interface RuleSetState { version: string; status: "draft" | "shadow" | "live" | "retired" }

export interface RuleSetUse { hours: number; decided: number; held: number; fired: Record<string, number> }

export interface ShadowComparison {
  version: string;
  from: string;
  to: string;
  liveVersions: string[];
  compared: number;
  complete: boolean;
  actions: { live: TransactionAction; shadow: TransactionAction; n: number }[];
  held: { live: number; shadow: number; newly: number; noLonger: number };
  labels: { fraud: { live: { held: number; released: number }; shadow: { held: number; released: number } }; clean: { live: { held: number; released: number }; shadow: { held: number; released: number } }; precision: { live: number | null; shadow: number | null }; recall: { live: number | null; shadow: number | null } };
  examples: { newlyHeld: ShadowExample[]; noLongerHeld: ShadowExample[] };
}

export interface ShadowExample {
  transactionId: string;
  at: string;
  live: { version: string; score: number; action: TransactionAction };
  shadow: { score: number; action: TransactionAction; points: Record<string, number> };
}
