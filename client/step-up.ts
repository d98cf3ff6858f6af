import type { Answer } from './operation.ts';
import { isProblem } from './problem-error.ts';
import type { Factor, FactorMethod } from './schemas/index.ts';

/** The server counts wrong answers, but not the same one sent again: a handler that knows no other would never end. */
const MOST_ANSWERS = 10;

/** What a person is asked to prove, and the means to ask them. */
export interface StepUpChallenge {
  /** What waits for it. A proof for a transaction is good for that one alone, as it was asked for. */
  readonly for: 'login' | 'session' | 'transaction';
  readonly transaction?: Answer<'createTransaction'>['body'];
  /** Any one of these will do. */
  readonly methods: readonly FactorMethod[];
  /** Staff who have no authenticator yet: show the secret, and answer with its first code. */
  readonly enrolment?: { readonly secret: string; readonly otpauthUri: string };
  /** After a wrong answer: how many more are taken, where the server says. */
  readonly triesLeft?: number;
  /** What a passkey and security questions need; each call makes a new challenge for the passkey. */
  options(): Promise<Answer<'transactionFactorOptions'>['body']>;
  /** Mails a code, or a new one, where the account proves itself by its mailbox. */
  mailCode(): Promise<void>;
  /** Until when it may be answered, where the server says. */
  readonly expiresAt?: string;
  /**
   * Fulfilled once nobody waits for an answer any more: one was taken, the person would not, or the server takes no more.
   * It is the same promise each time one challenge is asked again.
   */
  readonly over: Promise<void>;
}

/** A challenge before it is asked. */
export type ChallengeToAsk = Omit<StepUpChallenge, 'over' | 'triesLeft'>;

/** Asks the person. @returns null when they would not */
export type StepUpHandler = (challenge: StepUpChallenge) => Promise<Factor | null>;

/**
 * Asks until an answer is taken.
 *
 * @param submit sends the answer
 * @returns undefined when the person would not, or nobody is there to ask them
 * @throws ProblemError when the server takes no more answers, and whatever else `submit` throws
 */
export async function answerChallenge<T>(
  ask: StepUpHandler | undefined,
  challenge: ChallengeToAsk,
  submit: (factor: Factor) => Promise<T>,
): Promise<T | undefined> {
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  try {
    return await askUntilTaken(ask, { ...challenge, over }, submit);
  } finally {
    end();
  }
}

async function askUntilTaken<T>(
  ask: StepUpHandler | undefined,
  challenge: StepUpChallenge,
  submit: (factor: Factor) => Promise<T>,
): Promise<T | undefined> {
  let current = challenge;
  for (let asked = 1; ; asked += 1) {
    const factor = await ask?.(current);
    if (factor === undefined || factor === null) return undefined;
    try {
      return await submit(factor);
    } catch (error) {
      // The server counts: who has guessed too often is told something else than that the answer was wrong.
      if (!isProblem(error, 'factor_invalid') || asked === MOST_ANSWERS) throw error;
      const { triesLeft } = error.problem;
      current = { ...challenge, ...(typeof triesLeft === 'number' ? { triesLeft } : {}) };
    }
  }
}
