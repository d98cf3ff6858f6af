import type { Answer, Input, Operation, OperationName } from './operation.ts';
import { OPERATIONS } from './operation-table.ts';
import { isProblem } from './problem-error.ts';
import type { RequestSigner } from './request-signer.ts';
import { delayBeforeRetry, pause, type RetryPolicy } from './retry.ts';
import type { FactorMethod } from './schemas/index.ts';
import type { SessionKeeper } from './session.ts';
import { answerChallenge, type StepUpHandler } from './step-up.ts';
import { targetOf } from './target.ts';
import type { Transport } from './transport.ts';

export interface CallOptions {
  /**
   * Of calls that take one: who repeats a call under the same key, a restarted program for instance, gets the answer of the
   * first one. A key is drawn where none is given.
   */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** More headers, for instance `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallerOptions {
  readonly transport: Transport;
  readonly session: SessionKeeper;
  readonly signer: () => RequestSigner | undefined;
  readonly onStepUp: StepUpHandler | undefined;
  readonly retry: RetryPolicy;
}

/** What of a call's input matters here; its exact type is for who calls. */
interface LooseInput {
  path?: Readonly<Record<string, unknown>>;
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
}

/** These do the same however often they are sent (RFC 9110 section 9.2.2). */
const REPEATABLE_METHODS = new Set(['GET', 'PUT', 'DELETE']);

/** Calls operations: signs, repeats, and mends what can be mended without asking who called. */
export function createCaller({ transport, session, signer, onStepUp, retry }: CallerOptions) {
  async function call<Name extends OperationName>(
    name: Name,
    input: Input<Name>,
    options: CallOptions = {},
  ): Promise<Answer<Name>> {
    const { signal } = options;
    const operation: Operation = OPERATIONS[name];
    const idempotencyKey = operation.idempotencyKey ? (options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const repeatable = REPEATABLE_METHODS.has(operation.method) || idempotencyKey !== undefined;
    const mended = new Set<string>();
    for (let failed = 0; ; ) {
      try {
        const answer = await sendOnce(operation, input as LooseInput, options, idempotencyKey);
        session.adopt(answer.body);
        return answer as Answer<Name>;
      } catch (error) {
        if (await mend(error, name, mended, signal)) continue;
        failed += 1;
        const delay = delayBeforeRetry(error, { failed, repeatable, policy: retry });
        if (delay === undefined) throw error;
        await pause(delay, signal);
      }
    }
  }

  /** Every attempt is signed anew, as a nonce is used once; the idempotency key stays. */
  function sendOnce(
    operation: Operation,
    { path, query, body }: LooseInput,
    { headers, signal }: CallOptions,
    idempotencyKey: string | undefined,
  ) {
    const { token, csrfToken } = session.current;
    const isWrite = operation.method !== 'GET';
    return transport.send({
      method: operation.method,
      target: targetOf(operation.path, path, query),
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(csrfToken === undefined || !isWrite ? {} : { 'X-CSRF-Token': csrfToken }),
        ...headers,
      },
      idempotencyKey,
      signer: operation.signed === undefined ? undefined : signer(),
      signal,
    });
  }

  /** @returns whether the same call is worth sending again at once: each remedy is tried once a call */
  async function mend(
    error: unknown,
    name: OperationName,
    mended: Set<string>,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!isProblem(error) || mended.has(error.code)) return false;
    mended.add(error.code);
    const more = signal === undefined ? {} : { signal };
    if (error.code === 'signature_invalid') {
      // The signature itself was right, and this machine's clock is not.
      const { serverTime } = error.problem;
      if (typeof serverTime !== 'number') return false;
      signer()?.setClock(serverTime);
      return true;
    }
    if (error.code === 'csrf_invalid') {
      await call('getCsrfToken', {}, more);
      return true;
    }
    if (error.code === 'step_up_needed' && name !== 'stepUp') {
      const challenge = {
        for: 'session' as const,
        methods: (error.problem.methods ?? []) as FactorMethod[],
        options: async () => (await call('stepUpOptions', {}, more)).body,
        mailCode: async () => void (await call('mailStepUpCode', {}, more)),
      };
      const proven = await answerChallenge(onStepUp, challenge, (body) => call('stepUp', { body }, more));
      return proven !== undefined;
    }
    return false;
  }

  return call;
}

export type Caller = ReturnType<typeof createCaller>;
