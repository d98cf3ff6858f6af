import { drawEmailCode, failedTries } from '../db/factors.ts';
import { openIncident } from '../db/incidents.ts';
import { recordIndicators } from '../db/indicators.ts';
import { row as firstRow } from '../db/sql.ts';
import { areTermsUnchanged, reportAlteredTerms, stepUpLines, transactionChallenge } from '../db/step-up-terms.ts';
import { markHeld } from '../db/transactions.ts';
import type {
  ResendOutcome,
  TransactionFactorOutcome,
  TransactionSettings,
  TransactionState,
} from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import type { TransactionEnding } from './transaction-ending.ts';
import { createTransactionLetters } from './transaction-letters.ts';
import type { LockedTransaction, StepEffect, TransactionStep } from './transaction-step.ts';

type FactorResult = { kind: 'state' } | { kind: 'factor_invalid'; triesLeft: number } | { kind: 'closed' };

/** What happens while a transaction waits for a factor. */
export function createTransactionStepUp(deps: ActivityDeps, step: TransactionStep, ending: TransactionEnding) {
  const letters = createTransactionLetters(deps);

  /** The proof was given: settle, or begin the hold that the score asks for. */
  async function passed({ tx, row, owner }: LockedTransaction): Promise<StepEffect<FactorResult>> {
    const actor = { kind: 'user', id: row.user_id } as const;
    if (!row.hold_after_step_up || owner.restricted || owner.disabled) {
      return { result: { kind: 'state' }, ...(await ending.settle(tx, row, owner)) };
    }
    const settings = row.settings as TransactionSettings;
    await markHeld(tx, row.id, {
      reviewWindowMs: settings.reviewWindowMs,
      requiredApprovals: row.required_approvals,
    });
    const held = await firstRow<{ review_by: string }>(tx, 'select review_by from transaction where id = $1', [row.id]);
    await ending.record(tx, row, actor, 'transaction.held', { score: row.score });
    await letters.held(tx, owner, { ...row, review_by: held?.review_by ?? null });
    const incident = await openIncident(tx, deps, {
      cause: 'quarantine',
      subjectKind: 'transaction',
      subjectId: row.id,
      userId: row.user_id,
      title: 'Transaction held for review',
      details: { score: row.score, accountId: row.account_id, type: row.type },
      key: `transaction:${row.id}:quarantine`,
    });
    return { result: { kind: 'state' }, incidents: incident.opened || incident.raised ? [incident] : [] };
  }

  /** No proof came: rejected and released. */
  async function failed(
    locked: LockedTransaction,
    code: 'step_up_failed' | 'step_up_expired',
  ): Promise<StepEffect<FactorResult>> {
    const { tx, row, owner } = locked;
    const { incidents } = await ending.reject(tx, row, owner, code);
    // Running out of time on a moderate risk is everyday; five wrong codes, or silence on a high risk, is not.
    if (code === 'step_up_expired' && !row.hold_after_step_up) return { result: { kind: 'state' }, incidents };
    const incident = await openIncident(tx, deps, {
      cause: 'step_up_failed',
      subjectKind: 'transaction',
      subjectId: row.id,
      userId: row.user_id,
      title: 'Transaction was not confirmed by its owner',
      details: { code, score: row.score, accountId: row.account_id, type: row.type },
      key: `transaction:${row.id}:${code}`,
    });
    // What was imported is somebody else's past, and says nothing about who acts now.
    const isLive = row.virtual === null;
    const details = { transactionId: row.id, code };
    const consequences = await recordIndicators(
      tx,
      deps,
      row.user_id,
      isLive ? [{ kind: 'step_up_failed', key: `transaction:${row.id}:${code}`, details }] : [],
      { workflowId: `transaction:${row.id}`, ip: row.ip, userAgent: row.user_agent, requestId: row.request_id },
    );
    return {
      result: { kind: 'state' },
      incidents: [...incidents, incident, ...consequences.incidents],
      restrictions: consequences.restrictions,
    };
  }

  /** The proof was for other terms than these: nothing is moved, and whoever changed the row is looked for. */
  async function altered({ tx, row, owner }: LockedTransaction): Promise<StepEffect<FactorResult>> {
    const { incidents } = await ending.reject(tx, row, owner, 'step_up_failed');
    const incident = await reportAlteredTerms(tx, deps, row);
    return { result: { kind: 'state' }, incidents: [...incidents, incident] };
  }

  async function apply(locked: LockedTransaction, attempt: Attempt): Promise<StepEffect<FactorResult>> {
    const { tx, row } = locked;
    if (!areTermsUnchanged(row) || attempt.challenge_hash !== row.challenge_hash) return altered(locked);
    if (attempt.passed) return attempt.in_time ? passed(locked) : failed(locked, 'step_up_expired');
    const { maxFactorTries } = row.settings as TransactionSettings;
    const tries = await failedTries(tx, { kind: 'transaction', id: row.id, userId: row.user_id });
    if (tries >= maxFactorTries) return failed(locked, 'step_up_failed');
    return { result: { kind: 'factor_invalid', triesLeft: maxFactorTries - tries } };
  }

  return {
    /** Applies a factor attempt that the API recorded; one that comes after the state moved on changes nothing. */
    async applyTransactionFactor(
      transactionId: string,
      attemptId: string,
    ): Promise<{ state: TransactionState; outcome: TransactionFactorOutcome }> {
      const { state, result } = await step.run<FactorResult>(
        transactionId,
        `factor:${attemptId}`,
        async (locked) => {
          const attempt = await firstRow<Attempt>(
            locked.tx,
            `${ATTEMPTS} where a.id = $1 and a.challenge_kind = 'transaction' and a.challenge_id = $2`,
            [attemptId, transactionId],
          );
          if (attempt === undefined || locked.row.status !== 'step_up_required') return { result: { kind: 'closed' } };
          return apply(locked, attempt);
        },
        'alone',
      );
      return { state, outcome: result.kind === 'factor_invalid' ? result : { ...result, body: state.view } };
    },

    /** Mails another code. `closed` when no code is waited for any more, or codes are not what is waited for. */
    async resendTransactionCode(
      transactionId: string,
      resendId: string,
    ): Promise<{ state: TransactionState; outcome: ResendOutcome }> {
      const { state, result } = await step.run<ResendOutcome>(
        transactionId,
        `resend:${resendId}`,
        async ({ tx, row, owner }) => {
          if (row.status !== 'step_up_required' || !row.methods.includes('email_code')) {
            return { result: { status: 'closed' } };
          }
          const mail = await drawEmailCode(tx, deps, {
            challenge: transactionChallenge(row),
            about: stepUpLines(row),
            email: owner.email,
            ttlMs: (row.settings as TransactionSettings).emailCodeTtlMs,
            again: true,
          });
          return mail === null ? { result: { status: 'too_many' } } : { result: { status: 'sent' }, mails: [mail] };
        },
      );
      return { state, outcome: result };
    },

    /**
     * The time for the factor is over. The workflow's timer says so; what was proven in time (database time) and has not
     * been applied yet still counts.
     */
    async expireStepUp(transactionId: string): Promise<TransactionState> {
      const { state } = await step.run<FactorResult>(
        transactionId,
        'step-up-expired',
        async (locked) => {
          if (locked.row.status !== 'step_up_required') return { result: { kind: 'closed' } };
          const proven = await firstRow<Attempt>(
            locked.tx,
            `${ATTEMPTS} where a.challenge_kind = 'transaction' and a.challenge_id = $1 and a.passed
               and a.created_at <= t.step_up_expires_at order by a.created_at limit 1`,
            [transactionId],
          );
          return proven === undefined ? failed(locked, 'step_up_expired') : apply(locked, proven);
        },
        'alone',
      );
      return state;
    },
  };
}

interface Attempt {
  id: string;
  passed: boolean;
  in_time: boolean;
  challenge_hash: string | null;
}

const ATTEMPTS = `select a.id, a.passed, a.created_at <= t.step_up_expires_at as in_time,
    encode(a.challenge_hash, 'hex') as challenge_hash
  from factor_attempt a join transaction t on t.id = a.challenge_id`;
