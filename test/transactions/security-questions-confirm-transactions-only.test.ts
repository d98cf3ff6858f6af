import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, run } from '../../db/sql.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const ANSWERS: Record<string, string> = {
  'Which street did you grow up in?': 'St. Anna-Gasse 12',
  'What was your first car called?': 'Wüstenfuchs',
  'Who taught you to swim?': 'Aunt Márta',
  'What did your first flat smell of?': 'cardamom',
};
const QUESTIONS = Object.entries(ANSWERS).map(([question, answer]) => ({ question, answer }));

interface Asked {
  questionId: string;
  question: string;
}

describe('security questions', () => {
  let stack: Stack;
  let trading: Trading;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', SECURITY_QUESTIONS: 'additional' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  const set = ({ token }: { token: string }, questions: unknown = QUESTIONS) =>
    stack.api.put('/api/auth/mfa/security-questions', { questions }, { token });
  const ask = async (token: string, id: string): Promise<Asked[]> =>
    (await stack.api.post(`/api/transactions/${id}/factors/options`, {}, { token })).body.securityQuestions;
  const right = (asked: Asked[]) =>
    asked.map(({ questionId, question }) => ({ questionId, answer: ANSWERS[question] ?? '' }));
  const confirm = (person: Trader, id: string, answers: { questionId: string; answer: string }[]) =>
    stack.api.post(
      `/api/transactions/${id}/factors`,
      { method: 'security_questions', answers },
      { token: person.token, signWith: person.signingKey },
    );

  async function trader(): Promise<Awaited<ReturnType<Trading['trader']>>> {
    const person = await trading.trader();
    expect((await set(person)).body).toEqual({ questions: 4 });
    return person;
  }

  it('[P4] a transaction above 10,000 settles with the right answers to two of them', async () => {
    const person = await trader();
    const { transactionId, methods } = (await person.withdraw('10000.01')).body;
    expect(methods).toEqual(['totp', 'security_questions']);
    const asked = await ask(person.token, transactionId);
    expect(asked).toHaveLength(2);
    expect(await ask(person.token, transactionId)).toEqual(asked);
    // Punctuation, case and spaces are nobody's memory.
    const typed = right(asked).map((one) => ({ ...one, answer: ` ${one.answer.toUpperCase().replaceAll('.', '')} ` }));
    const settled = await confirm(person, transactionId, typed);
    expect([settled.status, settled.body.status]).toEqual([200, 'settled']);
    expect((await trading.audit(transactionId)).map(({ action }) => action)).toEqual([
      'transaction.step_up_required',
      'transaction.factor_passed',
      'transaction.settled',
    ]);
  });

  it('[P4] one wrong answer of two is wrong, the fifth rejects, and authenticator and answers share the tries', async () => {
    const person = await trader();
    const { transactionId } = (await person.withdraw('10000.01')).body;
    const asked = await ask(person.token, transactionId);
    const [first, second] = right(asked);
    if (first === undefined || second === undefined) throw new Error('two questions are asked');
    const wrong = (n: number) => [first, { ...second, answer: `wrong ${n}` }];
    const refused = await confirm(person, transactionId, wrong(1));
    expect([refused.status, refused.body.code, refused.body.triesLeft]).toEqual([401, 'factor_invalid', 4]);
    expect((await confirm(person, transactionId, [first, first])).body.triesLeft).toBe(3);
    const code = String((Number(stack.people.totpCode(person.totpSecret)) + 1) % 1_000_000).padStart(6, '0');
    expect((await person.confirm(transactionId, { method: 'totp', code })).body.triesLeft).toBe(2);
    expect((await confirm(person, transactionId, wrong(2))).body.triesLeft).toBe(1);
    const last = await confirm(person, transactionId, wrong(3));
    expect([last.status, last.body.code]).toEqual([422, 'step_up_failed']);
    expect((await confirm(person, transactionId, [first, second])).status).toBe(409);
  });

  it('[P4] answers to other questions than the two that were drawn are wrong, also before any were drawn', async () => {
    const person = await trader();
    const { transactionId } = (await person.withdraw('10000.01')).body;
    const earlier = (await person.withdraw('10000.02')).body.transactionId;
    const elsewhere = right(await ask(person.token, earlier));
    expect((await confirm(person, transactionId, elsewhere)).status).toBe(401);
    const asked = await ask(person.token, transactionId);
    await run(
      stack.ownerDb.fork(),
      `update question_draw set question_ids = (select array_agg(id) from security_question
        where user_id = $1 and id <> all($2::uuid[])) where transaction_id = $3`,
      [person.userId, asked.map(({ questionId }) => questionId), transactionId],
    );
    expect((await confirm(person, transactionId, right(asked))).status).toBe(401);
  });

  it('[N1] are no factor of a login, neither first nor second, and none of a step-up', async () => {
    const person = await trader();
    await run(stack.ownerDb.fork(), 'delete from totp_factor where user_id = $1', [person.userId]);
    const device = { ...HOME_DEVICE, screen: { width: 1280, height: 720, colorDepth: 24, pixelRatio: 1 } };
    const login = (await stack.people.login(person, { device })).body;
    expect(login).toMatchObject({ status: 'step_up_required', methods: ['email_code'] });
    const { transactionId } = (await person.withdraw('10000.01')).body;
    const answers = right(await ask(person.token, transactionId));
    const method = 'security_questions';
    const signIn = await stack.api.post(`/api/auth/login/${login.loginId}/factors`, { method, answers });
    expect([signIn.status, signIn.body.code]).toEqual([400, 'validation_failed']);
    const stepUp = await stack.api.post('/api/auth/step-up', { method, answers }, { token: person.token });
    expect([stepUp.status, stepUp.body.code]).toEqual([400, 'validation_failed']);
    // Nor where the row of a login says so: what checks them knows transactions only.
    await run(stack.ownerDb.fork(), `update login set methods = '["security_questions"]' where id = $1`, [
      login.loginId,
    ]);
    const forged = await stack.api.post(`/api/auth/login/${login.loginId}/factors`, { method, answers });
    expect(forged.status).toBe(401);
  });

  it('[P4] are stored as argon2id, their text encrypted, and set only with a fresh factor', async () => {
    const person = await trader();
    const stored = await oneRow<{ all: string; hash: string; n: number }>(
      stack.ownerDb.fork(),
      `select string_agg(q::text, ' ') as all, min(answer_hash) as hash, count(distinct answer_hash)::int as n
         from security_question q where user_id = $1`,
      [person.userId],
    );
    expect(stored.hash).toMatch(/^\$argon2id\$/);
    expect(stored.n).toBe(4);
    for (const { question, answer } of QUESTIONS) {
      expect(stored.all).not.toContain(question);
      expect(stored.all).not.toContain(answer);
    }
    await stack.mail.waitFor(person.email, { subject: /security questions were changed/ });
    await run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
    expect((await set(person)).body.code).toBe('step_up_needed');
  });

  it('[P4] are refused where they are too few, alike, too short, or give themselves away', async () => {
    const person = await trading.trader();
    const [one, two, three] = QUESTIONS;
    const pointers = async (questions: unknown) =>
      (await set(person, questions)).body.errors?.map(({ pointer }: { pointer: string }) => pointer);
    expect(await pointers([one, two])).toEqual(['/questions']);
    expect(await pointers([one, two, { ...three, answer: '?!' }])).toEqual(['/questions/2/answer']);
    expect(await pointers([one, two, { ...three, answer: 'WÜSTENFUCHS!' }])).toEqual(['/questions/2/answer']);
    expect(await pointers([one, two, { ...three, question: one?.question }])).toEqual(['/questions/2/question']);
    expect(await pointers([one, two, { question: 'Is your dog called Bruno?', answer: 'bruno' }])).toEqual([
      '/questions/2/answer',
    ]);
    const { n } = await oneRow<{ n: number }>(
      stack.db.fork(),
      'select count(*)::int as n from security_question where user_id = $1',
      [person.userId],
    );
    expect(n).toBe(0);
  });

  it('[P4] that come in a flood are refused in part, and none is a fault', async () => {
    const person = await trading.trader();
    const questions = Array.from({ length: 10 }, (_, n) => ({
      question: `Question number ${n}?`,
      answer: `Word ${n} x`,
    }));
    const answers = await Promise.all(Array.from({ length: 25 }, () => set(person, questions)));
    expect([...new Set(answers.map(({ status }) => status))].sort()).toEqual([200, 429]);
  });

  it('[P4] that were changed since are drawn anew; removed ones confirm nothing', async () => {
    const person = await trader();
    const { transactionId } = (await person.withdraw('10000.01')).body;
    const before = await ask(person.token, transactionId);
    expect((await set(person)).status).toBe(200);
    expect((await confirm(person, transactionId, right(before))).status).toBe(401);
    const after = await ask(person.token, transactionId);
    expect(after.map(({ questionId }) => questionId)).not.toContain(before[0]?.questionId);
    const gone = await stack.api.delete('/api/auth/mfa/security-questions', { token: person.token });
    expect(gone.status).toBe(204);
    expect((await confirm(person, transactionId, right(after))).status).toBe(401);
  });
});

describe('security questions where they are off', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  });
  afterAll(() => stack.close());

  it('[P4] cannot be set, and ones from before are not offered', async () => {
    const trader = await createTrading(stack).trader();
    const questions = { questions: QUESTIONS };
    const refused = await stack.api.put('/api/auth/mfa/security-questions', questions, { token: trader.token });
    expect([refused.status, refused.body.code]).toEqual([409, 'not_offered']);
    await forceQuestions(stack, trader);
    const asked = (await trader.withdraw('10000.01')).body;
    expect(asked.methods).toEqual(['totp']);
    const status = (await stack.api.get('/api/auth/mfa', { token: trader.token })).body;
    expect(status.securityQuestions).toEqual({ offered: false, set: 1 });
  });
});

/** A question from a time when they were on. */
async function forceQuestions(stack: Stack, { userId }: SignedIn): Promise<void> {
  await run(
    stack.ownerDb.fork(),
    `insert into security_question (id, user_id, question, answer_hash) values (gen_random_uuid(), $1, 'x', 'x')`,
    [userId],
  );
}
