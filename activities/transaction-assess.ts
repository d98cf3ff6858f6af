import { type AccountOwner, lockOwner } from '../db/account-owners.ts';
import { readMoment, storeFeatures } from '../db/account-state.ts';
import { drawEmailCode } from '../db/factors.ts';
import { openIncident } from '../db/incidents.ts';
import { lockAccounts, postSettlement, reserve } from '../db/ledger.ts';
import type { Tx } from '../db/sql.ts';
import { stepUpLines, transactionChallenge } from '../db/step-up-terms.ts';
import { insertTransaction, type NewTransaction, transactionView } from '../db/transactions.ts';
import { formatRate, heldWithoutRate, isCertain, rateReasons } from '../domain/exchange.ts';
import { addUsage, limitGroupOf } from '../domain/limits.ts';
import { type FactorMethod, offeredMethods } from '../domain/login.ts';
import { requiredApprovals } from '../domain/review.ts';
import { type AccountState, settleOnAccount } from '../domain/risk/account-state.ts';
import { afterDecision } from '../domain/risk/features.ts';
import type { TransactionAssessment } from '../domain/risk/rule-engine.ts';
import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import type { TransactionStatus, TransactionType } from '../domain/transaction.ts';
import type { ExceededLimit } from '../domain/transaction-view.ts';
import { challengeHash } from '../security/challenge-hash.ts';
import type { FollowUps, TransactionInput } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { waitsForPayment } from './transaction-ending.ts';
import { createTransactionLetters } from './transaction-letters.ts';
import { createTransactionLimits } from './transaction-limits.ts';
import { type Offer, offerOf, recipientOf } from './transaction-offer.ts';
import { createTransactionScoring, type Scored } from './transaction-scoring.ts';
import { rateMaxAgeMs, storedValue } from './transaction-value.ts';

/** What the first decision came to: a stored row, or a refusal that stored nothing but its trace. */
export type Assessed =
  | { refused: null; stored: NewTransaction; followUps: FollowUps }
  | { refused: 'account_restricted' | 'account_disabled' };

/**
 * The decision about a new transaction, all in the caller's database transaction: lock, price, funds, features, score,
 * decision, and the settlement where the decision is to settle.
 */
export function createTransactionDecision(deps: ActivityDeps) {
  const { audit } = deps;
  const letters = createTransactionLetters(deps);
  const scoring = createTransactionScoring(deps);
  const limits = createTransactionLimits(deps);

  async function decide(tx: Tx, input: TransactionInput): Promise<Assessed> {
    const { request, settings } = input;
    const owner = await lockOwner(tx, request.userId);
    if (owner === undefined || owner.disabled || owner.restricted) return refuse(tx, input, owner);
    const recipient = request.type === 'transfer' ? await recipientOf(tx, request) : null;
    await lockAccounts(tx, recipient === null ? [request.accountId] : [request.accountId, recipient]);
    const moment = await readMoment(tx, request.accountId, input.virtual?.at ?? null);
    const offered = await offerOf(tx, input, recipient);

    const outside = input.virtual?.outsideFeatures === true;
    // In the base currency, as everything below; unknown it counts as nothing here, and a reviewer has to look.
    const { value } = offered;
    const amount = value?.amount ?? 0n;
    const scored = await scoring.score(tx, {
      input,
      account: moment.features,
      at: moment.t.micros,
      amountMinor: amount,
      extra: [],
    });
    const decided = scored.decision.action;
    const action = outside ? 'settle' : value === null ? decided : heldWithoutRate(decided, value);
    const rate = value === null ? [] : rateReasons(value, request.currency, rateMaxAgeMs(settings));
    const judged = outside ? UNJUDGED : scored.assessment;
    const assessment = { ...judged, reasons: [...judged.reasons, ...rate] };
    const limit =
      offered.code !== null || value === null || input.virtual !== null
        ? null
        : limits.exceeded(owner, moment.usage, {
            ...{ type: request.type, amount: value.amount },
            ...{ now: moment.t.micros, currency: settings.baseCurrency },
          });
    const offer: Offer = limit === null ? offered : { ...offered, code: 'limit_exceeded' };
    const permitted = STATUS_OF[action];
    const waits = permitted === 'settled' && waitsForPayment({ type: request.type, settings, virtual: input.virtual });
    const status = offer.code !== null ? 'rejected' : waits ? 'payment_required' : permitted;

    const stored = newRow(input, owner, { moment, offer, limit, scored, assessment, status, action, recipient });
    await insertTransaction(tx, stored);
    if (offer.terms !== null && offer.code === null) {
      if (status === 'settled') await postSettlement(tx, request.transactionId, offer.terms);
      else await reserve(tx, request.transactionId, offer.terms);
    }
    if (!outside) {
      const { micros: at } = moment.t;
      const counted =
        status === 'rejected' || input.virtual !== null
          ? undefined
          : addUsage(moment.usage, limitGroupOf(request.type), { at, now: at, amount });
      const account = afterDecision(scored.account, scored.tx, action.startsWith('step_up'));
      const next = status === 'settled' ? learned(account, request.type, amount) : account;
      await storeFeatures(tx, request.accountId, next, counted);
    }
    await trace(tx, input, stored, assessment);
    const followUps = await announce(tx, input, owner, stored, outside ? null : scored.decision.incident);
    return { refused: null, stored, followUps };
  }

  /** A frozen or disabled account moves nothing. The attempt is on record; no row, no velocity, no funds. */
  async function refuse(tx: Tx, { request }: TransactionInput, owner: AccountOwner | undefined): Promise<Assessed> {
    const code = owner?.restricted === true ? 'account_restricted' : 'account_disabled';
    await audit.append(tx, {
      action: 'transaction.refused',
      actor: { kind: 'user', id: request.userId },
      subject: { kind: 'transaction', id: request.transactionId },
      outcome: 'denied',
      ip: request.ip,
      userAgent: request.userAgent,
      requestId: request.requestId,
      workflowId: `transaction:${request.transactionId}`,
      details: { accountId: request.accountId, type: request.type, code },
    });
    return { refused: code };
  }

  async function trace(tx: Tx, input: TransactionInput, stored: NewTransaction, assessment: TransactionAssessment) {
    await audit.append(tx, {
      action: ACTION_OF[stored.status],
      actor: { kind: 'user', id: stored.user_id },
      subject: { kind: 'transaction', id: stored.id },
      outcome: stored.status === 'settled' ? 'success' : 'denied',
      ip: stored.ip,
      userAgent: stored.user_agent,
      requestId: stored.request_id,
      workflowId: `transaction:${stored.id}`,
      details: {
        accountId: stored.account_id,
        type: stored.type,
        amount: stored.amount,
        currency: stored.currency,
        ...(stored.rate === null
          ? {}
          : { baseAmount: stored.base_amount, exchangeRate: formatRate(BigInt(stored.rate)) }),
        ...(stored.code === null ? {} : { code: stored.code }),
        ...(stored.limit_hit === null ? {} : { limit: stored.limit_hit }),
        ...(input.virtual === null ? {} : { virtualTime: input.virtual.at }),
        score: assessment.score,
        ruleSetVersion: assessment.ruleSetVersion,
        points: assessment.reasons.map(({ ruleId, points, note }) => ({ ruleId, points, ...(note ? { note } : {}) })),
      },
    });
  }

  /** Letters and incidents that the decision calls for. */
  async function announce(
    tx: Tx,
    input: TransactionInput,
    owner: AccountOwner,
    stored: NewTransaction,
    escalation: 'high' | null,
  ): Promise<FollowUps> {
    const followUps: FollowUps = { mails: [], incidents: [] };
    if (stored.status === 'step_up_required' && stored.methods.includes('email_code') && input.virtual === null) {
      const mail = await drawEmailCode(tx, deps, {
        challenge: transactionChallenge(stored),
        about: stepUpLines(stored),
        email: owner.email,
        ttlMs: input.settings.emailCodeTtlMs,
      });
      if (mail !== null) followUps.mails.push(mail);
    }
    const incident = async (cause: 'transaction_escalated' | 'quarantine', title: string) => {
      const opened = await openIncident(tx, deps, {
        cause,
        subjectKind: 'transaction',
        subjectId: stored.id,
        userId: stored.user_id,
        title,
        details: { score: stored.score, accountId: stored.account_id, type: stored.type },
        key: `transaction:${stored.id}:${cause}`,
      });
      if (opened.opened || opened.raised) followUps.incidents.push(opened);
    };
    if (escalation !== null) await incident('transaction_escalated', 'Transaction with a very high risk score');
    if (stored.status === 'quarantined') {
      await letters.held(tx, owner, stored);
      await incident('quarantine', 'Transaction held for review');
    }
    return followUps;
  }

  return { decide };
}

const STATUS_OF: Readonly<Record<TransactionAction, Exclude<TransactionStatus, 'rejected' | 'payment_required'>>> = {
  settle: 'settled',
  step_up: 'step_up_required',
  quarantine: 'quarantined',
  step_up_then_quarantine: 'step_up_required',
};

const ACTION_OF: Readonly<Record<TransactionStatus, string>> = {
  settled: 'transaction.settled',
  step_up_required: 'transaction.step_up_required',
  quarantined: 'transaction.held',
  payment_required: 'transaction.payment_required',
  rejected: 'transaction.rejected',
};

const HTTP_STATUS_OF: Readonly<Record<TransactionStatus, number>> = {
  settled: 201,
  step_up_required: 202,
  quarantined: 202,
  payment_required: 202,
  rejected: 422,
};

function newRow(
  { request, settings, virtual }: TransactionInput,
  owner: AccountOwner,
  found: {
    moment: { t: { text: string }; now: { ms: number; text: string } };
    offer: Offer;
    limit: ExceededLimit | null;
    scored: Scored;
    assessment: TransactionAssessment;
    status: TransactionStatus;
    action: TransactionAction;
    recipient: string | null;
  },
): NewTransaction {
  const { moment, offer, assessment, status } = found;
  const after = (ms: number) => new Date(moment.now.ms + ms).toISOString();
  const amount = offer.terms?.amount.toString() ?? request.amount;
  const value = offer.value === null ? NO_VALUE : storedValue(offer.value);
  const asksQuestions = settings.securityQuestions === true;
  const enrolled = owner.enrolled.filter((method) => asksQuestions || method !== 'security_questions');
  const available: FactorMethod[] = [...enrolled, 'email_code'];
  const terms = {
    id: request.transactionId,
    account_id: request.accountId,
    type: request.type,
    instrument_id: request.instrument,
    quantity: request.quantity,
    price_limit: request.priceLimit,
    amount,
    currency: request.currency,
    counterparty: request.counterparty,
  };
  const content = {
    ...terms,
    status,
    code: offer.code,
    methods: status === 'step_up_required' ? offeredMethods({ available, proven: [], purpose: 'transaction' }) : [],
    step_up_expires_at: status === 'step_up_required' ? after(settings.stepUpTimeoutMs) : null,
    review_by: status === 'quarantined' ? after(settings.reviewWindowMs) : null,
    limit_hit: found.limit,
    payment_expires_at: status === 'payment_required' ? after(settings.paymentTimeoutMs) : null,
    created_at: moment.now.text,
  };
  return {
    ...content,
    ...value,
    user_id: request.userId,
    price: offer.price?.toString() ?? null,
    category: request.category,
    counterparty_account_id: found.recipient,
    body_hash: request.bodyHash,
    score: assessment.score,
    // What the rules asked for: a hold for want of a rate is none of theirs.
    action: virtual?.outsideFeatures === true ? null : found.scored.decision.action,
    rule_set_version: assessment.ruleSetVersion,
    reasons: assessment.reasons,
    features: found.scored.features,
    shadows: found.scored.shadows.length === 0 ? null : found.scored.shadows,
    counterfactual: found.scored.counterfactual,
    hold_after_step_up: status === 'step_up_required' && found.action === 'step_up_then_quarantine',
    first_status: HTTP_STATUS_OF[status],
    first_body: transactionView(content),
    t: moment.t.text,
    held_at: status === 'quarantined' ? moment.now.text : null,
    required_approvals: approvalsFor(offer, settings.secondApprovalAboveMinor),
    hold: 1,
    challenge_hash: status === 'step_up_required' ? challengeHash(terms).toString('hex') : null,
    finished_at: status === 'settled' || status === 'rejected' ? moment.now.text : null,
    session_id: request.sessionId,
    ip: request.ip,
    user_agent: request.userAgent,
    request_id: request.requestId,
    settings,
    virtual,
  };
}

/** The features once the transaction settled at once; its own time is the latest one of the fold. */
function learned(state: AccountState, type: TransactionType, amountMinor: bigint): AccountState {
  return settleOnAccount(state, { at: state.lastAt, type, amountMinor });
}

/** A rejected request that never got an amount. */
const NO_VALUE = { base_amount: null, rate: null, rate_at: null };

/** How many reviewers a hold needs. An amount that is not certain counts as above the threshold. */
function approvalsFor({ value }: Offer, aboveMinor: string | null): number {
  if (aboveMinor === null || value === null) return 1;
  return isCertain(value) ? requiredApprovals(value.amount, BigInt(aboveMinor)) : 2;
}

/** Of a deposit that funds an imported account before its first row: nobody judges it. */
const UNJUDGED: TransactionAssessment = { ruleSetVersion: 'none', score: 0, reasons: [], hasError: false };
