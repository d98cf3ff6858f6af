import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { ConnectionError, isProblem } from '../../client/index.ts';
import { client } from '../api.ts';
import {
  forgetOpenRequest,
  keepOpenRequest,
  type OpenRequest,
  readOpenRequest,
  type TransactionBody,
} from './open-request.ts';

/** What came of a request is not known: it may have been carried out, or may still be. */
const isUnknown = (error: unknown): boolean =>
  error instanceof ConnectionError || (isProblem(error) && error.status >= 500);

/**
 * Asks for one transaction. The key is drawn when the request is sent for the first time, and stays the same until an answer
 * has come: a second click, a lost answer, even a reload of the page are the same request.
 */
export function useTransactionRequest(userId: string) {
  const queries = useQueryClient();
  const [open, setOpen] = useState(() => readOpenRequest(userId));
  const sending = useRef(false);

  function forget(): void {
    forgetOpenRequest();
    setOpen(undefined);
  }

  const call = useMutation({
    /** @returns the transaction's id, also of one that was rejected */
    async mutationFn(request: OpenRequest): Promise<string> {
      try {
        const { body } = await client.createTransaction({ body: request.body }, { idempotencyKey: request.key });
        forget();
        return body.transactionId;
      } catch (error) {
        if (!isUnknown(error)) forget();
        if (isProblem(error) && typeof error.problem.transactionId === 'string') return error.problem.transactionId;
        throw error;
      } finally {
        sending.current = false;
      }
    },
    onSettled: () => {
      for (const name of ['listTransactions', 'getPortfolio', 'getLimits', 'getSigningKey']) {
        void queries.invalidateQueries({ queryKey: [name] });
      }
    },
  });

  function send(request: OpenRequest): void {
    // Before React has shown that it is on its way, a second click would still get through.
    if (sending.current) return;
    sending.current = true;
    keepOpenRequest(request);
    setOpen(request);
    call.mutate(request);
  }

  return {
    /** The request that waits for its answer, also that of before a reload. */
    open,
    isSending: call.isPending,
    error: call.error,
    transactionId: call.data,
    ask: (body: TransactionBody) => send(open ?? { userId, key: crypto.randomUUID(), body }),
    again: () => open && send(open),
    /** Leaves the open request as it is, whatever has come of it, or what was answered. */
    startAnew: () => {
      forget();
      call.reset();
    },
  };
}
