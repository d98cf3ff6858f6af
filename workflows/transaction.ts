import {
  allHandlersFinished,
  CancellationScope,
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { PaymentOccasion } from '../activities/transaction-payment.ts';
import { nextPaymentLookMs } from '../domain/payment.ts';
import { nextReminder, type ReminderShare, type ReviewReminder } from '../domain/review-sla.ts';
import { isFinal } from '../domain/transaction.ts';
import {
  type ResendOutcome,
  type TransactionFactorOutcome,
  type TransactionInput,
  type TransactionResult,
  type TransactionState,
  type TransactionVerdict,
  transactionCancel,
  transactionLapse,
  transactionPayment,
  transactionResendCode,
  transactionReview,
  transactionSubmitFactor,
  transactionVerdict,
} from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { background, decide } from './options.ts';
import { searchAttributes } from './search-attributes.ts';

/** What arrived and waits for its turn. `n` counts the arrivals: it keys their effects, so that none happens twice. */
type Arrival =
  | { kind: 'factor'; attemptId: string }
  | { kind: 'resend'; resendId: string }
  | { kind: 'review'; n: string; payload: unknown }
  | { kind: 'cancel'; n: string; by: 'owner' | 'operator' }
  | { kind: 'payment' }
  | { kind: 'lapse' };

/**
 * The workflow's clock and the database's differ a little. Whoever recorded something in time by the database's clock
 * must find it still open.
 */
const GRACE_MS = 1_000;

/**
 * One transaction from its request to its end: decide, wait for the owner's proof where the risk or the amount asks for
 * it, hold for a reviewer where the score does, settle or reject. Handlers only enqueue; the one loop below takes what
 * arrived in its order and decides by the stored state, never by what woke it.
 */
export async function transaction(input: TransactionInput): Promise<TransactionResult> {
  const { transactionId } = input.request;
  const run = runOf(input.resume);
  const reminded = new Set<ReminderShare>();
  const arrivals: Arrival[] = [];
  const factorOutcomes = new Map<string, TransactionFactorOutcome>();
  const resendOutcomes = new Map<string, ResendOutcome>();
  let arrived = 0;
  let verdict: TransactionVerdict | undefined;
  let state: TransactionState | null = null;
  let lastRefusal: string | null = null;
  let paymentLooks = 0;

  const nextKey = () => {
    arrived += 1;
    return `${run}.${arrived}`;
  };
  setHandler(transactionVerdict, async () => {
    await condition(() => verdict !== undefined);
    return verdict as TransactionVerdict;
  });
  setHandler(transactionSubmitFactor, async (attemptId) => {
    arrivals.push({ kind: 'factor', attemptId });
    await condition(() => factorOutcomes.has(attemptId));
    return factorOutcomes.get(attemptId) as TransactionFactorOutcome;
  });
  setHandler(transactionResendCode, async (resendId) => {
    arrivals.push({ kind: 'resend', resendId });
    await condition(() => resendOutcomes.has(resendId));
    return resendOutcomes.get(resendId) as ResendOutcome;
  });
  setHandler(transactionReview, (payload) => {
    arrivals.push({ kind: 'review', n: nextKey(), payload });
  });
  setHandler(transactionCancel, () => {
    arrivals.push({ kind: 'cancel', n: nextKey(), by: 'owner' });
  });
  setHandler(transactionPayment, () => {
    // However many events were delivered: the provider is asked what is so now.
    if (!arrivals.some(({ kind }) => kind === 'payment')) arrivals.push({ kind: 'payment' });
  });
  setHandler(transactionLapse, () => {
    if (input.virtual !== null) arrivals.push({ kind: 'lapse' });
  });
  // An operator who cancels the workflow means the transaction: it is rejected and its funds are freed, in its turn.
  CancellationScope.current().cancelRequested.catch(() => {
    arrivals.push({ kind: 'cancel', n: `${run}.operator`, by: 'operator' });
  });

  return CancellationScope.nonCancellable(async () => {
    await begin();
    while (state !== null && !isFinal(state.view.status)) await nextStep(state);
    await drain();
    return { verdict: verdict as TransactionVerdict, view: state?.view ?? null };
  });

  /** Decides, or takes up again what an earlier run decided; a mailed code is on its way before anybody is answered. */
  async function begin(): Promise<void> {
    const assessed = await decide.assessTransaction(input);
    for (const mail of assessed.state?.followUps.mails ?? []) await decide.deliverMail(mail);
    verdict = assessed.verdict;
    if (assessed.state === null) return;
    await advance(assessed.state);
    if (input.resume !== null) await advance(await decide.resumeTransaction(transactionId, run));
  }

  /** Takes the next arrival; without one, waits for it or for the deadline of the present state. */
  async function nextStep(open: TransactionState): Promise<void> {
    const arrival = arrivals.shift();
    if (arrival !== undefined) return take(arrival);
    if (open.view.status === 'payment_required') return awaitPayment(open);
    const isStepUp = open.view.status === 'step_up_required';
    const deadline = Date.parse((isStepUp ? open.stepUpExpiresAt : open.reviewBy) ?? '');
    const left = deadline + GRACE_MS - Date.now();
    if (left <= 0) {
      return advance(
        await (isStepUp ? decide.expireStepUp(transactionId) : decide.expireReview(transactionId, open.hold ?? 1)),
      );
    }
    const reminder = nextReminder(open.reminders ?? [], reminded, Date.now());
    const pause = reminder === undefined ? left : Math.min(left, Date.parse(reminder.at) - Date.now());
    if (reminder !== undefined && pause <= 0) return remind(open, reminder);
    const summary = isStepUp ? 'until the owner has confirmed' : 'until a reviewer has decided';
    await condition(() => arrivals.length > 0, pause, { summary });
  }

  /** Half, and then nearly all of the time is over. A run that takes another's place asks again, and changes nothing. */
  async function remind(open: TransactionState, { share }: ReviewReminder): Promise<void> {
    reminded.add(share);
    await advance(await decide.remindReview(transactionId, open.hold ?? 1, share));
  }

  /**
   * Asks for the payment, then waits for a webhook or the next time to ask the provider, whichever is first: a webhook
   * that was lost delays a deposit, and loses none.
   */
  async function awaitPayment(open: TransactionState): Promise<void> {
    const left = () => Date.parse(open.payBy ?? '') + GRACE_MS - Date.now();
    const next = nextPaymentLookMs(paymentLooks - 1);
    // Over time it may still be on its way through a bank, and cannot be taken back: then it is asked for again.
    const pause = paymentLooks === 0 ? 0 : left() > 0 ? Math.min(left(), next) : next;
    const isTold = pause > 0 && (await condition(() => arrivals.length > 0, pause, { summary: 'until it is paid' }));
    if (!isTold) await followPayment(left() > 0 ? 'look' : 'expire');
  }

  async function followPayment(occasion: PaymentOccasion): Promise<void> {
    paymentLooks += 1;
    await advance(await background.followPayment(transactionId, `${run}.${paymentLooks}`, occasion));
  }

  async function take(arrival: Arrival): Promise<void> {
    switch (arrival.kind) {
      case 'factor': {
        const applied = await decide.applyTransactionFactor(transactionId, arrival.attemptId);
        await advance(applied.state);
        factorOutcomes.set(arrival.attemptId, applied.outcome);
        return;
      }
      case 'resend': {
        const resent = await decide.resendTransactionCode(transactionId, arrival.resendId);
        for (const mail of resent.state.followUps.mails) await decide.deliverMail(mail);
        await advance(resent.state);
        resendOutcomes.set(arrival.resendId, resent.outcome);
        return;
      }
      case 'review': {
        const reviewed = await decide.applyReview(transactionId, arrival.n, arrival.payload);
        lastRefusal = reviewed.refused;
        return advance(reviewed.state);
      }
      case 'cancel':
        if (state?.view.status === 'payment_required') return followPayment(arrival.by);
        return advance(await decide.cancelTransaction(transactionId, arrival.n, arrival.by));
      case 'payment':
        return followPayment('look');
      case 'lapse':
        return advance(await decide.expireStepUp(transactionId));
    }
  }

  /** What arrived too late still gets its answer, or its entry in the audit log. */
  async function drain(): Promise<void> {
    for (;;) {
      await condition(() => arrivals.length > 0 || allHandlersFinished());
      const arrival = arrivals.shift();
      if (arrival === undefined) return;
      if (state !== null) await take(arrival);
      else if (arrival.kind === 'factor') factorOutcomes.set(arrival.attemptId, { kind: 'closed', body: null });
      else if (arrival.kind === 'resend') resendOutcomes.set(arrival.resendId, { status: 'closed' });
    }
  }

  /** Shows the new state to operators and starts what follows from it. */
  async function advance(next: TransactionState): Promise<void> {
    const changed = state?.view.status !== next.view.status;
    // This run had not closed when its transaction was appealed, and goes on with the second hold.
    if (state?.hold !== next.hold) reminded.clear();
    state = next;
    if (changed) {
      upsertSearchAttributes([
        { key: searchAttributes.status, value: next.view.status },
        { key: searchAttributes.risk, value: next.risk },
      ]);
    }
    setCurrentDetails(detailsOf(next, lastRefusal));
    await startFollowUps(next.followUps, { queues: input.settings.queues, userTag: input.userTag });
  }
}

/** Keys the effects of a run apart from those of every other run of the transaction. */
function runOf(resume: TransactionInput['resume']): string {
  const { sequence = 0, hold = 1 } = resume ?? {};
  return hold === 1 ? String(sequence) : `${hold}-${sequence}`;
}

/** One look at the Temporal UI tells where a transaction stands. No personal data. */
function detailsOf(state: TransactionState, lastRefusal: string | null): string {
  const { view, risk, approvals } = state;
  const waiting =
    view.status === 'quarantined'
      ? [`review by ${state.reviewBy}`, `${approvals.given} of ${approvals.required} approvals`]
      : view.status === 'step_up_required'
        ? [`to be confirmed by ${state.stepUpExpiresAt}`]
        : view.status === 'payment_required'
          ? [`to be paid by ${state.payBy}`]
          : [];
  return [
    `${view.type}: ${view.status}`,
    ...(view.code === undefined ? [] : [view.code]),
    `risk ${risk.toFixed(2)}`,
    ...waiting,
    ...(lastRefusal === null ? [] : [`last review signal refused: ${lastRefusal}`]),
  ].join(', ');
}
