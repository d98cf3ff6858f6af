import type { Caller, CallOptions } from './caller.ts';
import type { Answer, Input } from './operation.ts';
import type { SessionKeeper } from './session.ts';
import { answerChallenge, type StepUpHandler } from './step-up.ts';

export interface FlowDeps {
  readonly call: Caller;
  readonly session: SessionKeeper;
  readonly onStepUp: StepUpHandler | undefined;
}

type SignInAnswer = Answer<'login'>;
type TransactionAnswer = Answer<'createTransaction'> | Answer<'confirmTransaction'>;

/** What takes several calls. */
export function createFlows({ call, session, onStepUp }: FlowDeps) {
  async function prove(answer: Extract<SignInAnswer, { status: 202 }>, options: CallOptions): Promise<SignInAnswer> {
    const { body } = answer;
    const path = { loginId: body.loginId };
    const isEnrolment = body.status === 'enrolment_required';
    const proven = await answerChallenge(
      onStepUp,
      {
        for: 'login',
        methods: isEnrolment ? ['totp'] : body.methods,
        ...(isEnrolment ? { enrolment: body.totp } : {}),
        expiresAt: body.expiresAt,
        options: async () => (await call('loginFactorOptions', { path }, options)).body,
        mailCode: async () => void (await call('resendLoginCode', { path }, options)),
      },
      (factor) => call('submitLoginFactor', { path, body: factor }, options),
    );
    if (proven === undefined) return answer;
    return proven.status === 202 ? prove(proven, options) : proven;
  }

  function confirm(transaction: TransactionAnswer['body'], options: CallOptions) {
    const path = { transactionId: transaction.transactionId };
    return answerChallenge(
      onStepUp,
      {
        for: 'transaction',
        transaction,
        methods: transaction.methods ?? [],
        ...(transaction.expiresAt === undefined ? {} : { expiresAt: transaction.expiresAt }),
        options: async () => (await call('transactionFactorOptions', { path }, options)).body,
        mailCode: async () => void (await call('resendTransactionCode', { path }, options)),
      },
      (factor) => call('confirmTransaction', { path, body: factor }, options),
    );
  }

  return {
    /**
     * Signs in, through as many factors as are asked for. The session is kept for the calls that follow.
     *
     * @returns 200 with a session; 202 where a factor is asked for that the person would not prove
     * @throws ProblemError `invalid_credentials`, `account_locked`, `login_denied` and so on
     */
    async signIn(given: Input<'login'>['body'], options: CallOptions = {}): Promise<SignInAnswer> {
      const { deviceToken } = session.current;
      const body = { ...(deviceToken === undefined ? {} : { deviceToken }), ...given };
      const answer = await call('login', { body }, options);
      return answer.status === 202 ? prove(answer, options) : answer;
    },

    /** Ends the session, here too where it had ended already. */
    async signOut(options: CallOptions = {}): Promise<void> {
      await call('logout', {}, options);
      session.end();
    },

    /**
     * Asks for a transaction, proves the factor that it may ask for, and waits for the verdict. Sent again under the same
     * idempotency key it is the same transaction, so nothing happens twice when an answer is lost.
     *
     * @returns 200 or 201 once it is settled; 202 while it is held for a reviewer, waits for its payment, or for a factor
     *   that the person would not prove: `body.status` says which
     * @throws ProblemError `insufficient_funds`, `limit_exceeded`, `step_up_failed` and so on
     */
    async transact(body: Input<'createTransaction'>['body'], options: CallOptions = {}): Promise<TransactionAnswer> {
      const answer = await call('createTransaction', { body }, options);
      if (answer.body.status !== 'step_up_required') return answer;
      // The key belongs to the request for the transaction; its proof is a call of its own.
      const { idempotencyKey: _, ...more } = options;
      return (await confirm(answer.body, more)) ?? answer;
    },

    /**
     * Asks once more for the factor that a transaction waits for: its dialog was closed, or the page with it.
     *
     * @param transaction as it was answered or listed, with the status `step_up_required`
     * @returns as {@link transact}; undefined where the person would not prove it
     * @throws ProblemError as {@link transact}, and `factor_expired` or `not_awaiting_factor` where it is too late
     */
    resumeTransaction: (transaction: TransactionAnswer['body'], options: CallOptions = {}) =>
      confirm(transaction, options),
  };
}

export type Flows = ReturnType<typeof createFlows>;

/** A list that comes in pages. */
interface Page<Item> {
  readonly body: { readonly items: readonly Item[]; readonly nextCursor: string | null };
}

/** A method of the client that reads a list in pages. */
type PagedList = (input: never, options?: CallOptions) => Promise<Page<unknown>>;
type ItemOf<List extends PagedList> = Awaited<ReturnType<List>>['body']['items'][number];

/**
 * Every item of a list, page after page.
 *
 * @param list a method of the client, for instance `client.listTransactions`
 * @param input what it is given for the first page
 */
export async function* everyItem<List extends PagedList>(
  list: List,
  input: NonNullable<Parameters<List>[0]>,
  options?: CallOptions,
): AsyncGenerator<ItemOf<List>> {
  const { query: first } = input as { query?: Readonly<Record<string, unknown>> };
  let query = first;
  for (;;) {
    const { body }: Page<unknown> = await list({ ...(input as object), query } as never, options);
    yield* body.items as ItemOf<List>[];
    if (body.nextCursor === null) return;
    query = { ...first, cursor: body.nextCursor };
  }
}
