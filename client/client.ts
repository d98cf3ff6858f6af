import { type CallOptions, createCaller } from './caller.ts';
import { createFlows, type Flows } from './flows.ts';
import type { Answer, Input, OperationName } from './operation.ts';
import { OPERATIONS } from './operation-table.ts';
import { createRequestSigner, type SigningCredential } from './request-signer.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';
import { type ClientSession, createSessionKeeper } from './session.ts';
import type { StepUpHandler } from './step-up.ts';
import { createTransport } from './transport.ts';

export type { CallOptions } from './caller.ts';

export interface ClientOptions {
  /** Where the API is, without a path: `https://trade.example.com`. */
  readonly origin: string;
  /** What was kept of an earlier run. */
  readonly session?: ClientSession;
  /** Called with what to keep whenever it changes. It holds secrets. */
  readonly onSession?: (session: ClientSession) => void;
  /** Signs what moves money or changes where it goes. */
  readonly signingKey?: SigningCredential;
  /** Asks the person for a second factor, wherever the API wants one. Without it such refusals are thrown. */
  readonly onStepUp?: StepUpHandler;
  readonly retry?: Partial<RetryPolicy>;
  /** For one attempt, in milliseconds. The API answers within ten seconds, and says 503 where it needs longer. */
  readonly timeoutMs?: number;
  /** In a page of the API's own origin: the session is a cookie. The default in browsers. */
  readonly cookies?: boolean;
  /** In place of the platform's. */
  readonly fetch?: typeof fetch;
}

/** No argument where an operation needs none. */
type Arguments<Name extends OperationName> =
  Record<never, never> extends Input<Name>
    ? [input?: Input<Name>, options?: CallOptions]
    : [input: Input<Name>, options?: CallOptions];

type Calls = { readonly [Name in OperationName]: (...given: Arguments<Name>) => Promise<Answer<Name>> };

/** One method for each operation of the API, under its `operationId`, and what takes several of them. */
export interface Client extends Calls, Flows {
  /** What to keep; also told to `onSession`. */
  readonly session: ClientSession;
  /** From here on signs with this key, and with none where it is left out. */
  useSigningKey(key?: SigningCredential): void;
}

const TIMEOUT_MS = 15_000;

/**
 * A client of one installation, for one person. Calls reject with a `ProblemError` where the API refuses, with a
 * `ConnectionError` where no answer came, and with the reason of their signal.
 *
 * @throws RangeError when `origin` is not one
 */
export function createClient(options: ClientOptions): Client {
  const { origin, onStepUp, onSession, timeoutMs = TIMEOUT_MS } = options;
  if (new URL(origin).origin !== origin.replace(/\/$/, '')) {
    throw new RangeError(`origin is scheme, host and port, without a path: not ${origin}`);
  }
  let signer = options.signingKey && createRequestSigner(options.signingKey);
  const session = createSessionKeeper(options.session ?? {}, onSession);
  const transport = createTransport({
    origin,
    timeoutMs,
    cookies: options.cookies ?? 'document' in globalThis,
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
  });
  const call = createCaller({
    ...{ transport, session, onStepUp },
    signer: () => signer,
    retry: { ...DEFAULT_RETRY, ...options.retry },
  });
  const names = Object.keys(OPERATIONS) as OperationName[];
  const calls = Object.fromEntries(
    names.map((name) => [name, (input: Input<typeof name> = {}, more?: CallOptions) => call(name, input, more)]),
  ) as unknown as Calls;
  return {
    ...calls,
    ...createFlows({ call, session, onStepUp }),
    get session() {
      return session.current;
    },
    useSigningKey(key) {
      signer = key && createRequestSigner(key);
    },
  };
}
