import { WithStartWorkflowOperation } from '@temporalio/client';
import type { ApiClient } from '../cli/api-client.ts';
import type { TemporalClient } from '../temporal/connection.ts';
import { taskQueues } from '../workflows/contract.ts';
import { type Customer, signIn, withdraw } from './customers.ts';
import { helloVerdict } from './hello-workflow.ts';

export const HELLO_PREFIX = 'bench-hello';

export const KINDS = ['hello', 'transaction', 'login'] as const;
export type Kind = (typeof KINDS)[number];

/** The calls that are measured; each throws unless it had the answer of the happy path. */
export interface Operations extends Record<Kind, () => Promise<string>> {}

/** The happy path of each kind. */
export function operations(api: ApiClient, temporal: TemporalClient, customers: readonly Customer[]): Operations {
  let counter = 0;
  // In turn, so that no customer is asked for twice at once: this measures the machinery, not one account's lock.
  const next = (): Customer => {
    counter += 1;
    const customer = customers[counter % customers.length];
    if (customer === undefined) throw new Error('there are no customers');
    return customer;
  };
  const run = Date.now().toString(36);
  return {
    hello: async () => {
      counter += 1;
      const workflowId = `hello:${run}:${counter}`;
      await temporal.client.workflow.executeUpdateWithStart(helloVerdict, {
        updateId: 'verdict',
        startWorkflowOperation: new WithStartWorkflowOperation('hello', {
          workflowId,
          taskQueue: taskQueues(HELLO_PREFIX).decisions,
          args: ['world'],
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      });
      return workflowId;
    },
    transaction: async () => `transaction:${await withdraw(api, next(), `${run}-${counter}`)}`,
    login: async () => `login:${(await signIn(api, next())).loginId}`,
  };
}
