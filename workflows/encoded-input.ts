import { ApplicationFailure } from '@temporalio/common';
import { log, type WorkflowInterceptors } from '@temporalio/workflow';
import { isUnencoded, unwrapUnencoded } from '../domain/unencoded-input.ts';

/**
 * Signals that may come from the Temporal UI or CLI, whose input passes no codec. What they carry is no proof of anything:
 * the activity that reads it checks a code.
 */
const OPEN_SIGNALS: ReadonlySet<string> = new Set(['review']);

/**
 * Refuses input that did not pass the payload codec, everywhere but in {@link OPEN_SIGNALS}: only our own API and workers
 * hold its key, so nobody else can start a workflow, answer for an activity, or move a workflow along.
 */
export function interceptors(): WorkflowInterceptors {
  return {
    inbound: [
      {
        // Asynchronous, since what these throw at once would fail the workflow task, again and again.
        async execute(input, next) {
          return next({ ...input, args: encoded('the workflow', input.args) });
        },
        async handleSignal(input, next) {
          if (OPEN_SIGNALS.has(input.signalName)) return next({ ...input, args: input.args.map(unwrapUnencoded) });
          // A signal cannot be answered, and failing would end the workflow: it is as if it had not come.
          if (input.args.some(isUnencoded)) log.warn('an unencoded signal was dropped', { signal: input.signalName });
          else await next(input);
        },
        // Not in validateUpdate, which the SDK leaves out for handlers without a validator.
        async handleUpdate(input, next) {
          return next({ ...input, args: encoded(`update ${input.name}`, input.args) });
        },
        async handleQuery(input, next) {
          return next({ ...input, args: encoded(`query ${input.queryName}`, input.args) });
        },
      },
    ],
    outbound: [
      {
        async scheduleActivity(input, next) {
          const result = await next(input);
          encoded(`activity ${input.activityType}`, [result]);
          return result;
        },
      },
    ],
  };
}

function encoded<T extends unknown[]>(what: string, values: T): T {
  if (!values.some(isUnencoded)) return values;
  throw ApplicationFailure.nonRetryable(`${what} came with unencoded data`, 'UnencodedInput');
}
