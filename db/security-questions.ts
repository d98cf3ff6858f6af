import { randomInt } from 'node:crypto';
import { normalizeAnswer, QUESTIONS_ASKED } from '../domain/security-questions.ts';
import { decryptField, encryptField } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import type { PasswordHasher } from '../security/passwords.ts';
import { uuidV7 } from '../security/uuid.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** A question that is asked. */
export interface AskedQuestion {
  questionId: string;
  question: string;
}

/** One answer to it, as it was typed. */
export interface GivenAnswer {
  questionId: string;
  answer: string;
}

/** Replaces somebody's questions. @param given `answerHash` is argon2id of the normalised answer */
export async function storeQuestions(
  tx: Tx,
  keyring: Keyring,
  userId: string,
  given: readonly { question: string; answerHash: string }[],
): Promise<void> {
  await run(tx, 'select from app_user where id = $1 for no key update', [userId]);
  await run(tx, 'delete from security_question where user_id = $1', [userId]);
  for (const { question, answerHash } of given) {
    const id = uuidV7();
    await run(tx, 'insert into security_question (id, user_id, question, answer_hash) values ($1, $2, $3, $4)', [
      id,
      userId,
      encryptField(keyring, question, questionField(id)),
      answerHash,
    ]);
  }
}

/** @returns how many there were */
export function removeQuestions(tx: Tx, userId: string): Promise<number> {
  return run(tx, 'delete from security_question where user_id = $1', [userId]);
}

export async function countQuestions(tx: Tx, userId: string): Promise<number> {
  const { n } = await oneRow<{ n: number }>(tx, 'select count(*)::int as n from security_question where user_id = $1', [
    userId,
  ]);
  return n;
}

/**
 * The two questions of a transaction, drawn at its first asking and the same ever after, so that nobody asks until they
 * like them. Drawn anew only when the owner has set other questions since. The caller holds the transaction's lock.
 */
export async function askQuestions(
  tx: Tx,
  keyring: Keyring,
  given: { transactionId: string; userId: string },
): Promise<AskedQuestion[]> {
  const stored = await rows<{ id: string; question: string }>(
    tx,
    'select id, question from security_question where user_id = $1 order by id',
    [given.userId],
  );
  const drawn = await row<{ question_ids: string[] }>(
    tx,
    'select question_ids from question_draw where transaction_id = $1',
    [given.transactionId],
  );
  let asked = stored.filter(({ id }) => drawn?.question_ids.includes(id));
  if (asked.length < QUESTIONS_ASKED) {
    const left = [...stored];
    asked = [];
    while (asked.length < QUESTIONS_ASKED && left.length > 0) asked.push(...left.splice(randomInt(left.length), 1));
    // Asked again, they come in the same order.
    asked.sort((a, b) => (a.id < b.id ? -1 : 1));
    await run(
      tx,
      `insert into question_draw (transaction_id, user_id, question_ids) values ($1, $2, $3::uuid[])
       on conflict (transaction_id) do update set question_ids = excluded.question_ids, drawn_at = clock_timestamp()`,
      [given.transactionId, given.userId, asked.map(({ id }) => id)],
    );
  }
  return asked.map(({ id, question }) => ({
    questionId: id,
    question: decryptField(keyring, question, questionField(id)),
  }));
}

/**
 * Whether the answers are those to the two questions that this transaction drew. Both are hashed whatever the first came
 * to: how long it takes does not tell which one was wrong.
 */
export async function checkAnswers(
  tx: Tx,
  passwords: PasswordHasher,
  given: { transactionId: string; userId: string; answers: readonly GivenAnswer[] },
): Promise<boolean> {
  const asked = await rows<{ id: string; answer_hash: string }>(
    tx,
    `select q.id, q.answer_hash from question_draw d join security_question q on q.id = any(d.question_ids)
      where d.transaction_id = $1 and d.user_id = $2 and q.user_id = $2`,
    [given.transactionId, given.userId],
  );
  if (asked.length !== QUESTIONS_ASKED) return false;
  const right = await Promise.all(
    asked.map(async ({ id, answer_hash }) => {
      const answer = given.answers.find(({ questionId }) => questionId === id);
      return (await passwords.verify(answer_hash, normalizeAnswer(answer?.answer ?? ''))).ok;
    }),
  );
  return right.every(Boolean);
}

function questionField(id: string) {
  return { table: 'security_question', column: 'question', rowId: id };
}
