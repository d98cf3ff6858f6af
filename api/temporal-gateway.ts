import {
  TerminatedFailure,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { VerificationScope } from '../domain/audit-scope.ts';
import { DomainError } from '../domain/errors.ts';
import type { TemporalClient } from '../temporal/connection.ts';
import { pollersOf } from '../temporal/pollers.ts';
import type * as contract from '../workflows/contract.ts';
import {
  incidentChanged,
  keyRotationPace,
  lockoutUnlock,
  loginResendCode,
  loginSubmitFactor,
  loginVerdict,
  restrictionRecover,
  runAccepted,
  transactionCancel,
  transactionPayment,
  transactionResendCode,
  transactionReview,
  transactionSubmitFactor,
  transactionVerdict,
  VERDICT_UPDATE_ID,
  workflowIds,
} from '../workflows/contract.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import { readTaskQueues } from './task-queue-stats.ts';

export interface GatewayOptions {
  temporal: TemporalClient;
  queues: contract.TaskQueues;
  verdictTimeoutMs: number;
}

/** The API's only way to Temporal: what it may start, update and signal, in the words of the domain. */
export function createTemporalGateway({ temporal, queues, verdictTimeoutMs }: GatewayOptions) {
  const workflow = temporal.client.workflow;

  /** Every call is bounded: a client waits VERDICT_TIMEOUT, then asks again under the same key. */
  async function bounded<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await temporal.client.withDeadline(Date.now() + verdictTimeoutMs, call);
    } catch (error) {
      if (isDeadline(error)) {
        throw new DomainError('verdict_pending', 'The verdict takes longer than usual. Ask again with the same key.', {
          retryAfter: 2,
        });
      }
      throw error;
    }
  }

  function accepted(type: string, workflowId: string, input: unknown, staticSummary: string) {
    return workflow.executeUpdateWithStart(runAccepted, {
      updateId: VERDICT_UPDATE_ID,
      startWorkflowOperation: new WithStartWorkflowOperation(type, {
        workflowId,
        taskQueue: queues.background,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary,
      }),
    });
  }

  return {
    /** Starts `login:{loginId}` and waits for its verdict; one that was terminated undecided is `abandoned`. */
    login: (input: contract.LoginInput): Promise<contract.LoginVerdict> =>
      bounded(async () => {
        const workflowId = workflowIds.login(input.loginId);
        try {
          return await workflow.executeUpdateWithStart(loginVerdict, {
            updateId: VERDICT_UPDATE_ID,
            startWorkflowOperation: new WithStartWorkflowOperation('login', {
              workflowId,
              taskQueue: queues.decisions,
              args: [input],
              workflowIdConflictPolicy: 'USE_EXISTING',
              workflowIdReusePolicy: 'REJECT_DUPLICATE',
              staticSummary: 'Login',
              typedSearchAttributes: [{ key: searchAttributes.user, value: input.userTag }],
            }),
          });
        } catch (error) {
          // It ended without having seen this update, which can be lost with a worker: its result says the same.
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          return await workflow
            .getHandle(workflowId)
            .result()
            .catch((failure: unknown) => {
              if (failure instanceof WorkflowFailedError) return { status: 'abandoned' as const };
              throw failure;
            });
        }
      }),

    submitLoginFactor: (loginId: string, attemptId: string): Promise<contract.LoginFactorOutcome> =>
      bounded(() =>
        workflow
          .getHandle(workflowIds.login(loginId))
          .executeUpdate(loginSubmitFactor, { args: [attemptId], updateId: attemptId }),
      ),

    resendLoginCode: (loginId: string, resendId: string): Promise<contract.ResendOutcome> =>
      bounded(() =>
        workflow
          .getHandle(workflowIds.login(loginId))
          .executeUpdate(loginResendCode, { args: [resendId], updateId: resendId }),
      ),

    /** Starts `transaction:{transactionId}` or meets the one that runs or ran, and waits for its verdict. */
    transaction: (input: contract.TransactionInput): Promise<contract.TransactionVerdict> =>
      bounded(async () => {
        const workflowId = workflowIds.transaction(input.request.transactionId);
        try {
          return await workflow.executeUpdateWithStart(transactionVerdict, {
            updateId: VERDICT_UPDATE_ID,
            startWorkflowOperation: new WithStartWorkflowOperation('transaction', {
              workflowId,
              taskQueue: queues.decisions,
              args: [input],
              workflowIdConflictPolicy: 'USE_EXISTING',
              workflowIdReusePolicy: 'REJECT_DUPLICATE',
              staticSummary: `${input.request.type} for account ${input.request.accountId}`,
              typedSearchAttributes: [{ key: searchAttributes.user, value: input.userTag }],
            }),
          });
        } catch (error) {
          // It ended without having seen this update, which can be lost with a worker: its result says the same.
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          return (await resultOf(workflow.getHandle(workflowId))).verdict;
        }
      }),

    /**
     * Starts a transaction's workflow again, for the hold that an appeal began. @returns false while one runs under its id: the
     * one that ended the first hold may need a moment to close
     */
    startAppeal: (input: contract.TransactionInput): Promise<boolean> =>
      bounded(async () => {
        try {
          await workflow.start('transaction', {
            workflowId: workflowIds.transaction(input.request.transactionId),
            taskQueue: queues.decisions,
            args: [input],
            workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
            staticSummary: `${input.request.type} for account ${input.request.accountId}, on appeal`,
            typedSearchAttributes: [
              { key: searchAttributes.user, value: input.userTag },
              { key: searchAttributes.status, value: 'quarantined' },
            ],
          });
          return true;
        } catch (error) {
          if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
          throw error;
        }
      }),

    submitTransactionFactor: (transactionId: string, attemptId: string): Promise<contract.TransactionFactorOutcome> =>
      bounded(() =>
        unlessClosed(
          workflow
            .getHandle(workflowIds.transaction(transactionId))
            .executeUpdate(transactionSubmitFactor, { args: [attemptId], updateId: attemptId }),
          { kind: 'closed', body: null },
        ),
      ),

    resendTransactionCode: (transactionId: string, resendId: string): Promise<contract.ResendOutcome> =>
      bounded(() =>
        unlessClosed(
          workflow
            .getHandle(workflowIds.transaction(transactionId))
            .executeUpdate(transactionResendCode, { args: [resendId], updateId: resendId }),
          { status: 'closed' },
        ),
      ),

    /** Tells the deposit that something happened to its payment. @returns false when its workflow runs no more */
    signalPayment: (transactionId: string): Promise<boolean> =>
      bounded(() => delivered(workflow.getHandle(workflowIds.transaction(transactionId)).signal(transactionPayment))),

    /** Tells the held transaction of a verdict row. @returns false when its workflow runs no more */
    signalReview: (transactionId: string, verdictId: string): Promise<boolean> =>
      bounded(() =>
        delivered(workflow.getHandle(workflowIds.transaction(transactionId)).signal(transactionReview, { verdictId })),
      ),

    signalCancel: (transactionId: string): Promise<boolean> =>
      bounded(() => delivered(workflow.getHandle(workflowIds.transaction(transactionId)).signal(transactionCancel))),

    signalUnlock: (lockoutId: string): Promise<boolean> =>
      bounded(() => delivered(workflow.getHandle(workflowIds.lockout(lockoutId)).signal(lockoutUnlock))),

    /**
     * Tells `restriction:{restrictionId}` that its rows have something to do, and starts it where it does not run: new,
     * or ended by an operator.
     */
    signalRecovery: (given: Omit<contract.RestrictionInput, 'queues'>): Promise<void> =>
      bounded(async () => {
        const input: contract.RestrictionInput = { ...given, queues };
        await workflow.signalWithStart('restriction', {
          workflowId: workflowIds.restriction(given.restrictionId),
          taskQueue: queues.background,
          args: [input],
          signal: restrictionRecover,
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          staticSummary: 'Restriction',
          typedSearchAttributes: [
            { key: searchAttributes.user, value: given.userTag },
            { key: searchAttributes.status, value: 'restricted' },
          ],
        });
      }),

    signalIncidentChanged: (incidentId: string): Promise<boolean> =>
      bounded(() => delivered(workflow.getHandle(workflowIds.incident(incidentId)).signal(incidentChanged))),

    /** Starts `audit-verification:{verificationId}`; its row tells how it goes. */
    startAuditVerification: (verificationId: string, scope: VerificationScope): Promise<void> =>
      bounded(async () => {
        const input: contract.AuditVerificationInput = { verificationId, scope };
        await workflow.start('auditVerification', {
          workflowId: workflowIds.auditVerification(verificationId),
          taskQueue: queues.background,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: 'Verification of the audit log',
        });
      }),

    /** @returns false when it runs no more */
    cancelAuditVerification: (verificationId: string): Promise<boolean> =>
      bounded(() =>
        delivered(
          workflow
            .getHandle(workflowIds.auditVerification(verificationId))
            .cancel()
            .then(() => {}),
        ),
      ),

    /** Publishes a checkpoint of the audit log as `audit-checkpoint:{requestId}`, and waits for what comes of it. */
    publishAuditCheckpoint: (requestId: string): Promise<contract.AuditCheckpointResult> =>
      bounded(async () => {
        const input: contract.AuditCheckpointInput = { trigger: 'request' };
        return workflow.execute('auditCheckpoint', {
          workflowId: workflowIds.auditCheckpoint(requestId),
          taskQueue: queues.background,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: 'Checkpoint of the audit log',
        });
      }),

    /** Starts `incident-evidence:{bundleId}`, or meets the one that runs. @returns false when it ran and has ended */
    startIncidentEvidence: (bundleId: string): Promise<boolean> =>
      bounded(async () => {
        const input: contract.EvidenceInput = { bundleId };
        try {
          await workflow.start('incidentEvidence', {
            workflowId: workflowIds.incidentEvidence(bundleId),
            taskQueue: queues.background,
            args: [input],
            workflowIdConflictPolicy: 'USE_EXISTING',
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            staticSummary: 'Evidence of an incident',
          });
          return true;
        } catch (error) {
          if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
          throw error;
        }
      }),

    /** Starts `backtest:{backtestId}`; its row tells how it goes. */
    startBacktest: (backtestId: string): Promise<void> =>
      bounded(async () => {
        const input: contract.BacktestInput = { backtestId };
        await workflow.start('backtest', {
          workflowId: workflowIds.backtest(backtestId),
          taskQueue: queues.background,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: 'Back-test of a rule set',
        });
      }),

    /** Starts `backup:{backupId}` and waits until it has begun or was refused. */
    startBackup: (backupId: string, requestedBy: string): Promise<contract.RunAcceptance> =>
      bounded(() => {
        const input: contract.BackupInput = { backupId, trigger: 'manual', requestedBy, queues };
        return accepted('backup', workflowIds.backup(backupId), input, 'Backup');
      }),

    /** Starts `restore-drill:{drillId}` and waits until it has begun or was refused. */
    startRestoreDrill: (drillId: string, backupId: string, requestedBy: string): Promise<contract.RunAcceptance> =>
      bounded(() => {
        const input: contract.RestoreDrillInput = { drillId, backupId, trigger: 'manual', requestedBy, queues };
        return accepted('restoreDrill', workflowIds.restoreDrill(drillId), input, 'Restore drill');
      }),

    /** Starts `key-rotation:{rotationId}` and waits until it has begun or was refused. */
    startKeyRotation: (
      rotationId: string,
      scope: contract.KeyRotationInput['scope'],
      requestedBy: string,
    ): Promise<contract.RunAcceptance> =>
      bounded(() => {
        const input: contract.KeyRotationInput = {
          ...{ rotationId, trigger: 'manual', scope, requestedBy, queues },
          ...keyRotationPace,
        };
        return accepted('keyRotation', workflowIds.keyRotation(rotationId), input, 'Key rotation');
      }),

    /** @returns false when it runs no more */
    cancelRun: (workflowId: string): Promise<boolean> =>
      bounded(() =>
        delivered(
          workflow
            .getHandle(workflowId)
            .cancel()
            .then(() => {}),
        ),
      ),

    /** How many worker processes polled each queue within the last poll's length. @throws when Temporal does not answer */
    pollers: async (timeoutMs: number): Promise<Record<keyof contract.TaskQueues, number>> => ({
      decisions: await pollerCount(temporal, queues.decisions, timeoutMs),
      background: await pollerCount(temporal, queues.background, timeoutMs),
    }),

    /** Backlog and pollers of each queue, and how many workflows there are. @throws when Temporal does not answer */
    taskQueueStats: (timeoutMs: number) => readTaskQueues(temporal, queues, timeoutMs),

    ping: (timeoutMs: number): Promise<void> => temporal.ping(timeoutMs),
  };
}

export type TemporalGateway = ReturnType<typeof createTemporalGateway>;

async function pollerCount({ client }: TemporalClient, queue: string, timeoutMs: number): Promise<number> {
  const identities = await client.connection.withDeadline(Date.now() + timeoutMs, () => pollersOf(client, queue));
  return identities.length;
}

/** @throws DomainError `cancelled` when an operator ended the workflow before it was decided */
async function resultOf(handle: WorkflowHandle): Promise<contract.TransactionResult> {
  try {
    return await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError && error.cause instanceof TerminatedFailure) {
      throw new DomainError('cancelled', 'It was ended before it was decided; nothing was moved. Use a new key.');
    }
    throw error;
  }
}

/** The outcome of an update, or `closed` when the workflow runs no more. */
async function unlessClosed<T>(update: Promise<T>, closed: T): Promise<T> {
  try {
    return await update;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return closed;
    throw error;
  }
}

async function delivered(signal: Promise<void>): Promise<boolean> {
  try {
    await signal;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

const GRPC = { cancelled: 1, deadlineExceeded: 4 };

function isDeadline(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && (cause.code === GRPC.deadlineExceeded || cause.code === GRPC.cancelled)) return true;
    if (cause.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return true;
  }
  return false;
}
