import type { Input } from '../../client/index.ts';

export type TransactionBody = Input<'createTransaction'>['body'];

/**
 * A transaction that was asked for under a key of its own, and whose answer has not come yet. It is kept until one has: a
 * page that is reloaded in between asks again under the same key, so that nothing happens twice.
 */
export interface OpenRequest {
  readonly userId: string;
  readonly key: string;
  readonly body: TransactionBody;
}

/** Of this tab alone: it holds what was asked for and no secret. */
const PLACE = 'tradeguard.open-request';

/** The request of this person that waits for an answer. */
export function readOpenRequest(userId: string): OpenRequest | undefined {
  const text = sessionStorage.getItem(PLACE);
  if (text === null) return undefined;
  const found = JSON.parse(text) as OpenRequest;
  return found.userId === userId ? found : undefined;
}

export function keepOpenRequest(request: OpenRequest): void {
  sessionStorage.setItem(PLACE, JSON.stringify(request));
}

export function forgetOpenRequest(): void {
  sessionStorage.removeItem(PLACE);
}
