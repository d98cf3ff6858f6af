import { codeLetter } from '../domain/account-letters.ts';
import { normalizeAnswer } from '../domain/security-questions.ts';
import { decryptField } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import { normalizeRecoveryCode } from '../security/recovery-codes.ts';
import { emailCodeMac, newEmailCode, verifyEmailCode } from '../security/tokens.ts';
import { verifyTotp } from '../security/totp.ts';
import { uuidV7, uuidV8 } from '../security/uuid.ts';
import type { Outbox } from './outbox.ts';
import type { PasskeyAssertion } from './passkeys.ts';
import type { GivenAnswer } from './security-questions.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

/** What a factor is asked for: a login, a transaction, or a session that has to prove itself again. */
export interface Challenge {
  kind: 'login' | 'transaction' | 'step_up';
  id: string;
  userId: string;
  /** Of a transaction: the hash (hex) of the terms that its owner confirms, see `challengeHash`. */
  terms?: string;
}

/** Wrong answers in an hour over all challenges of one account: two challenges' worth, then all are refused. */
export const MAX_FACTOR_FAILURES_PER_ACCOUNT = 10;
/** Code mails to one account in an hour for one kind of challenge, before another one is refused. */
export const MAX_CODE_MAILS_PER_HOUR = 3;
/** First mails of new challenges are bounded too, or opening logins would be a way to send mail. */
const MAX_FIRST_CODE_MAILS_PER_HOUR = 10;

/** What somebody proves themselves with: six digits, a recovery code, answers, or what a passkey signed. */
export type FactorAnswer =
  | { method: 'totp' | 'email_code'; code: string }
  | { method: 'recovery_code'; code: string }
  | { method: 'security_questions'; answers: readonly GivenAnswer[] }
  | { method: 'webauthn'; credential: PasskeyAssertion };

export type FactorSubmission = FactorAnswer & {
  challenge: Challenge;
  /** Whose request it is, for the audit log. */
  request: { ip: string | null; userAgent: string | null; requestId: string };
  /** Wrong answers the challenge takes. */
  maxTries: number;
  /** base32; checked in place of the enrolled authenticator while it is being enrolled. */
  enrolmentSecret?: string;
  /** Milliseconds for which the caller waits for what the factor leads to. */
  waitsForMs: number;
  /** Hashes of the tokens that are handed out if this factor opens a session. */
  tokenHashes?: (attemptId: string) => { session: Buffer; device: Buffer };
};

/** A submission that is neither a code of the authenticator nor a mailed one. */
export type OtherSubmission = Extract<
  FactorSubmission,
  { method: 'recovery_code' | 'security_questions' | 'webauthn' }
>;

export interface FactorDeps {
  keyring: Keyring;
  /** Checks the methods whose checks only the API does, in the same transaction; uses up what may be used once. */
  verifyOther: (tx: Tx, submission: OtherSubmission) => Promise<boolean>;
}

/**
 * `recorded`: the attempt is stored, passed or not, and the same submission repeated is the same attempt. `exhausted`: the
 * challenge has had its wrong answers, nothing was checked.
 */
export type FactorCheck =
  | { outcome: 'recorded'; attemptId: string; passed: boolean; at: Date; repeated: boolean }
  | { outcome: 'exhausted' };

/**
 * Checks one answer to a challenge and records it, in the caller's transaction, which must hold the lock of the
 * challenge's row: so tries are counted exactly, a mailed code works once and a TOTP step works once (RFC 6238 section
 * 5.2), however many requests come at once. An account with too many failures elsewhere fails unchecked.
 */
export async function checkFactor(tx: Tx, deps: FactorDeps, submission: FactorSubmission): Promise<FactorCheck> {
  const { keyring } = deps;
  const { challenge, method } = submission;
  const mailed = method === 'email_code' ? await latestCode(tx, challenge) : undefined;
  const attemptId = attemptIdOf(keyring, submission, mailed);
  const earlier = await meetAgain(tx, attemptId, submission.waitsForMs);
  if (earlier !== undefined) return earlier;

  if ((await failedTries(tx, challenge)) >= submission.maxTries) return { outcome: 'exhausted' };
  await run(tx, `select pg_advisory_xact_lock(hashtextextended('tradeguard.factors:' || $1, 0))`, [challenge.userId]);
  const blocked = await isAccountExhausted(tx, challenge.userId);
  const { passed, step } = blocked ? FAILED : await verify(tx, deps, submission, mailed);
  const hashes = passed ? submission.tokenHashes?.(attemptId) : undefined;
  const inserted = await oneRow<{ created_at: string }>(
    tx,
    `insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed, session_hash,
       device_cookie_hash, wanted_until, totp_step, challenge_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + $9 * interval '1 ms', $10, decode($11, 'hex'))
     returning created_at`,
    [
      attemptId,
      challenge.kind,
      challenge.id,
      challenge.userId,
      method,
      passed,
      hashes?.session ?? null,
      hashes?.device ?? null,
      submission.waitsForMs,
      step,
      challenge.terms ?? null,
    ],
  );
  return { outcome: 'recorded', attemptId, passed, at: new Date(inserted.created_at), repeated: false };
}

/** The attempt that this very submission made earlier, if it did; checks and records nothing. */
export async function earlierAttempt(
  tx: Tx,
  keyring: Keyring,
  submission: FactorSubmission,
): Promise<Extract<FactorCheck, { outcome: 'recorded' }> | undefined> {
  const mailed = submission.method === 'email_code' ? await latestCode(tx, submission.challenge) : undefined;
  return meetAgain(tx, attemptIdOf(keyring, submission, mailed), submission.waitsForMs);
}

/** One submission, however often it is sent, is one attempt: the id is a keyed hash of what was submitted to what. */
function attemptIdOf(keyring: Keyring, submission: FactorSubmission, mailed: MailedCode | undefined): string {
  const { challenge, method } = submission;
  const text = answerText(submission);
  return uuidV8(keyring.hmac('factor-code', 'attempt', challenge.kind, challenge.id, method, mailed?.id ?? '', text));
}

/** Everything that makes one answer differ from another one, in one form however it was typed. */
function answerText(answer: FactorAnswer): string {
  switch (answer.method) {
    case 'totp':
    case 'email_code':
      return answer.code;
    case 'recovery_code':
      return normalizeRecoveryCode(answer.code) ?? answer.code;
    case 'security_questions':
      return JSON.stringify(answer.answers.map((one) => [one.questionId, normalizeAnswer(one.answer)]).sort());
    case 'webauthn': {
      const { clientDataJSON, authenticatorData, signature } = answer.credential.response;
      return JSON.stringify([answer.credential.id, clientDataJSON, authenticatorData, signature]);
    }
  }
}

async function meetAgain(tx: Tx, attemptId: string, waitsForMs: number) {
  const earlier = await row<{ passed: boolean; created_at: string }>(
    tx,
    `update factor_attempt set wanted_until = clock_timestamp() + $2 * interval '1 ms'
      where id = $1 returning passed, created_at`,
    [attemptId, waitsForMs],
  );
  if (earlier === undefined) return undefined;
  const at = new Date(earlier.created_at);
  return { outcome: 'recorded', attemptId, passed: earlier.passed, at, repeated: true } as const;
}

/**
 * Wrong answers to one challenge so far. @param upTo an attempt: those that were recorded after it do not count
 */
export async function failedTries(tx: Tx, challenge: Challenge, upTo?: string): Promise<number> {
  const { failed } = await oneRow<{ failed: number }>(
    tx,
    `select count(*)::int as failed from factor_attempt
      where challenge_kind = $1 and challenge_id = $2 and not passed
        and ($3::uuid is null or created_at <= (select created_at from factor_attempt where id = $3))`,
    [challenge.kind, challenge.id, upTo ?? null],
  );
  return failed;
}

/** Whether an account had so many wrong answers within the hour that no further one is checked. */
export async function isAccountExhausted(tx: Tx, userId: string): Promise<boolean> {
  const { failed } = await oneRow<{ failed: number }>(
    tx,
    `select count(*)::int as failed from factor_attempt
      where user_id = $1 and not passed and created_at > clock_timestamp() - interval '1 hour'`,
    [userId],
  );
  return failed >= MAX_FACTOR_FAILURES_PER_ACCOUNT;
}

/**
 * Draws a six-digit code for a challenge, stores its HMAC and queues the letter, in the caller's transaction. The newest
 * code of a challenge is the only one that works.
 *
 * @param about what a transaction is about, a line each: who confirms it must see what they confirm
 * @param again a further code for a challenge that had one: at most three mails an hour
 * @returns the letter's id, or null when too many were sent
 */
export async function drawEmailCode(
  tx: Tx,
  deps: { keyring: Keyring; outbox: Outbox },
  given: { challenge: Challenge; email: string; ttlMs: number; about?: readonly string[]; again?: boolean },
): Promise<string | null> {
  const { challenge, email, ttlMs } = given;
  const limit = given.again === true ? MAX_CODE_MAILS_PER_HOUR : MAX_FIRST_CODE_MAILS_PER_HOUR;
  await run(tx, `select pg_advisory_xact_lock(hashtextextended('tradeguard.factors:' || $1, 0))`, [challenge.userId]);
  const { sent } = await oneRow<{ sent: number }>(
    tx,
    `select count(*)::int as sent from email_code
      where user_id = $1 and challenge_kind = $2 and created_at > clock_timestamp() - interval '1 hour'`,
    [challenge.userId, challenge.kind],
  );
  if (sent >= limit) return null;
  const id = uuidV7();
  const code = newEmailCode();
  await run(
    tx,
    `insert into email_code (id, challenge_kind, challenge_id, user_id, code_hash, expires_at)
     values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 ms')`,
    [id, challenge.kind, challenge.id, challenge.userId, emailCodeMac(deps.keyring, challenge, code), ttlMs],
  );
  const letter = codeLetter(challenge.kind, code, ttlMs, given.about);
  return deps.outbox.enqueue(tx, { ...letter, key: `code:${id}`, userId: challenge.userId, to: email });
}

interface MailedCode {
  id: string;
  code_hash: Buffer;
  usable: boolean;
}

/** The newest code of a challenge, used or not: what a repeated submission has to meet again. */
function latestCode(tx: Tx, challenge: Challenge): Promise<MailedCode | undefined> {
  return row<MailedCode>(
    tx,
    `select id, code_hash, used_at is null and expires_at > clock_timestamp() as usable from email_code
      where challenge_kind = $1 and challenge_id = $2 order by created_at desc, id desc limit 1`,
    [challenge.kind, challenge.id],
  );
}

interface Verification {
  passed: boolean;
  /** RFC 6238 time step of a TOTP code that passed. */
  step: number | null;
}

const FAILED: Verification = { passed: false, step: null };

async function verify(
  tx: Tx,
  { keyring, verifyOther }: FactorDeps,
  submission: FactorSubmission,
  mailed: MailedCode | undefined,
): Promise<Verification> {
  if (
    submission.method === 'recovery_code' ||
    submission.method === 'security_questions' ||
    submission.method === 'webauthn'
  ) {
    return { passed: await verifyOther(tx, submission), step: null };
  }
  const { challenge, method, code, enrolmentSecret } = submission;
  if (method === 'totp') {
    if (enrolmentSecret === undefined) {
      const step = await useTotpCode(tx, keyring, challenge.userId, code);
      return { passed: step !== null, step };
    }
    const verified = verifyTotp({ secret: enrolmentSecret, code, nowMs: Date.now(), lastUsedStep: null });
    return verified.ok ? { passed: true, step: verified.step } : FAILED;
  }
  if (mailed?.usable !== true || !verifyEmailCode(keyring, mailed.code_hash, challenge, code)) return FAILED;
  await run(tx, 'update email_code set used_at = clock_timestamp() where id = $1', [mailed.id]);
  return { passed: true, step: null };
}

/**
 * Checks a code of the enrolled authenticator and uses its time step up, in one statement that only one can win.
 *
 * @returns the step, or null when the code is wrong or its step was used
 */
export async function useTotpCode(tx: Tx, keyring: Keyring, userId: string, code: string): Promise<number | null> {
  const factor = await row<{ secret: string; last_step: string }>(
    tx,
    'select secret, last_step from totp_factor where user_id = $1 and confirmed_at is not null',
    [userId],
  );
  if (factor === undefined) return null;
  const verified = verifyTotp({
    secret: decryptField(keyring, factor.secret, totpField(userId)),
    code,
    nowMs: Date.now(),
    lastUsedStep: Number(factor.last_step),
  });
  if (!verified.ok) return null;
  const used = await run(tx, 'update totp_factor set last_step = $2 where user_id = $1 and last_step < $2', [
    userId,
    verified.step,
  ]);
  return used === 1 ? verified.step : null;
}

/** Where the secret of an enrolled authenticator is kept. */
export function totpField(userId: string) {
  return { table: 'totp_factor', column: 'secret', rowId: userId };
}
