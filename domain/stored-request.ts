import type { TransactionType } from './transaction.ts';

/** What a stored transaction keeps of its request. */
export interface StoredRequest {
  id: string;
  user_id: string;
  account_id: string;
  type: TransactionType;
  instrument_id: string | null;
  quantity: string | null;
  price_limit: string | null;
  amount: string | null;
  currency: string;
  category: string;
  counterparty: string | null;
  body_hash: string;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
}

/** The request of a stored transaction, for a workflow that takes it up again. @param submissionId what takes it up */
export function storedRequest(row: StoredRequest, submissionId: string) {
  return {
    transactionId: row.id,
    userId: row.user_id,
    accountId: row.account_id,
    type: row.type,
    instrument: row.instrument_id,
    quantity: row.quantity,
    priceLimit: row.price_limit,
    amount: row.amount,
    currency: row.currency,
    category: row.category,
    counterparty: row.counterparty,
    bodyHash: row.body_hash,
    sessionId: row.session_id,
    ip: row.ip,
    userAgent: row.user_agent,
    requestId: row.request_id ?? submissionId,
    submissionId,
  };
}
