import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  ParentClosePolicy,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import {
  type FollowUps,
  type LockoutInput,
  type LoginFactorOutcome,
  type LoginInput,
  type LoginVerdict,
  loginResendCode,
  loginSubmitFactor,
  loginVerdict,
  type ResendOutcome,
  workflowIds,
} from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { decide } from './options.ts';
import { searchAttributes } from './search-attributes.ts';

/** Factors and requests recorded before the deadline may still be on their way to this workflow. */
const GRACE_MS = 1_000;

/**
 * A code is written before the person is told to enter it, but a mail server that hangs must not hold the answer: the
 * outbox goes on trying, and another code can be asked for.
 */
const beforeAnswering = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5 seconds',
  scheduleToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 1 },
});

type Work = { kind: 'factor'; id: string } | { kind: 'resend'; id: string };

/**
 * One login. The main function does all the work: the `verdict` update waits for what it decided, `submitFactor` and
 * `resendCode` put work into its queue and wait for the outcome. So nothing is lost when the server or a worker dies
 * between an update's acceptance and its handling.
 */
export async function login(input: LoginInput): Promise<LoginVerdict> {
  const { loginId, settings, userTag } = input;
  const queue: Work[] = [];
  const factorOutcomes = new Map<string, LoginFactorOutcome>();
  const resendOutcomes = new Map<string, ResendOutcome>();
  let verdict: LoginVerdict | undefined;

  setHandler(loginVerdict, () => untilKnown(() => verdict));
  setHandler(loginSubmitFactor, (id) => {
    queue.push({ kind: 'factor', id });
    return untilKnown(() => factorOutcomes.get(id));
  });
  setHandler(loginResendCode, (id) => {
    queue.push({ kind: 'resend', id });
    return untilKnown(() => resendOutcomes.get(id));
  });

  /** The next piece of work; its outcome is told before anything else happens. */
  async function workOff(state: LoginVerdict): Promise<LoginVerdict> {
    const work = queue.shift();
    if (work === undefined) return state;
    if (work.kind === 'resend') {
      const resent = await decide.resendLoginCode(loginId, work.id, settings);
      await writeBeforeAnswering(resent.codeMail);
      resendOutcomes.set(work.id, resent.outcome);
      return state;
    }
    const applied = await decide.applyLoginFactor(loginId, work.id, settings);
    await writeBeforeAnswering(applied.codeMail);
    factorOutcomes.set(work.id, applied.outcome);
    await startFollowUps(applied, { queues: settings.queues, userTag });
    return applied.outcome.status === 'factor_invalid' ? state : applied.outcome;
  }

  /** Waits for factors until the login is decided or its time is over. */
  async function awaitFactors(first: LoginVerdict, expiresAt: string): Promise<LoginVerdict> {
    let state = first;
    let expired = false;
    const timer = new CancellationScope();
    const timing = timer.run(async () => {
      const summary = `a factor is awaited until ${expiresAt}`;
      await sleep(Math.max(1, Date.parse(expiresAt) - Date.now() + GRACE_MS), { summary });
      expired = true;
    });
    timing.catch(() => undefined);
    while (isOpen(state) && !(expired && queue.length === 0)) {
      await condition(() => queue.length > 0 || expired);
      state = await CancellationScope.nonCancellable(() => workOff(state));
    }
    timer.cancel();
    return isOpen(state) ? decide.endLogin(loginId, 'expired') : state;
  }

  const assessed = await CancellationScope.nonCancellable(async () => {
    const decided = await decide.assessLogin(input);
    await writeBeforeAnswering(decided.codeMail);
    return decided;
  });
  verdict = assessed.verdict;
  report(verdict, assessed.risk);
  const ending = await CancellationScope.nonCancellable(async () => {
    await startConsequences(assessed, input);
    return assessed.verdict;
  });

  let final: LoginVerdict = ending;
  if ('expiresAt' in ending && isOpen(ending)) {
    try {
      final = await awaitFactors(ending, ending.expiresAt);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      final = await CancellationScope.nonCancellable(() => decide.endLogin(loginId, 'cancelled'));
    }
    report(final, null);
  }
  return CancellationScope.nonCancellable(async () => {
    // What came too late is answered like everything about a login that is over.
    for (const { kind, id } of queue.splice(0)) {
      if (kind === 'factor') factorOutcomes.set(id, { status: 'expired' });
      else resendOutcomes.set(id, { status: 'closed' });
    }
    await condition(allHandlersFinished);
    return final;
  });
}

function isOpen(state: LoginVerdict): boolean {
  return state.status === 'step_up_required' || state.status === 'enrolment_required';
}

/** Waits for a value that the main function will set, also while the workflow is being cancelled. */
function untilKnown<T>(look: () => T | undefined): Promise<T> {
  return CancellationScope.nonCancellable(async () => {
    await condition(() => look() !== undefined);
    return look() as T;
  });
}

async function writeBeforeAnswering(mailId: string | null): Promise<void> {
  if (mailId === null) return;
  try {
    await beforeAnswering.deliverMail(mailId);
  } catch {
    // The outbox dispatcher has it.
  }
}

async function startConsequences(
  assessed: Pick<FollowUps, 'incidents' | 'restrictions'> & {
    lockout: { lockoutId: string; lockedUntil: string } | null;
  },
  { settings, userTag }: LoginInput,
): Promise<void> {
  const { queues } = settings;
  const { lockout } = assessed;
  if (lockout !== null) {
    const child: LockoutInput = { ...lockout, userTag, queues };
    try {
      await startChild('lockout', {
        workflowId: workflowIds.lockout(lockout.lockoutId),
        taskQueue: queues.background,
        args: [child],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: 'Lockout',
        typedSearchAttributes: [
          { key: searchAttributes.user, value: userTag },
          { key: searchAttributes.status, value: 'locked' },
        ],
      });
    } catch (error) {
      // An operator reset this login, or `reconcile` was first: the lock has its workflow.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
  await startFollowUps(assessed, { queues, userTag });
}

function report(verdict: LoginVerdict, risk: number | null): void {
  setCurrentDetails('expiresAt' in verdict ? `${verdict.status} until ${verdict.expiresAt}` : verdict.status);
  upsertSearchAttributes([
    { key: searchAttributes.status, value: verdict.status },
    ...(risk === null ? [] : [{ key: searchAttributes.risk, value: risk }]),
  ]);
}
