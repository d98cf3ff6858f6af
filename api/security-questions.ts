import { z } from 'zod';
import { removeQuestions, storeQuestions } from '../db/security-questions.ts';
import type { Tx } from '../db/sql.ts';
import { securityQuestionsLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import {
  MAX_SECURITY_QUESTIONS,
  MIN_SECURITY_QUESTIONS,
  normalizeAnswer,
  questionFaults,
} from '../domain/security-questions.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { factsOf } from './factor-deps.ts';
import { textInput } from './input.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const PATH = '/api/auth/mfa/security-questions';
const ACCESS = { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true } as const;
const body = z.strictObject({
  questions: z
    .array(z.strictObject({ question: textInput(8, 200), answer: textInput(1, 200) }))
    .min(MIN_SECURITY_QUESTIONS)
    .max(MAX_SECURITY_QUESTIONS),
});

/** Questions that can confirm a transaction, where SECURITY_QUESTIONS=additional; docs/adr/0010 says why only there. */
export function createSecurityQuestionRoutes({ config, db, keyring, audit, outbox, passwords }: ApiDeps): Route[] {
  async function set(context: RouteContext<unknown, unknown, z.output<typeof body>>): Promise<Reply> {
    if (config.securityQuestions !== 'additional') {
      throw new DomainError('not_offered', 'Security questions are not offered here.');
    }
    const { questions } = context.body;
    const faults = questionFaults(questions);
    if (faults.length > 0) {
      const errors = faults.map(({ index, member, detail }) => ({
        in: 'body',
        pointer: `/questions/${index}/${member}`,
        detail,
      }));
      throw new DomainError('validation_failed', `body${errors[0]?.pointer}: ${errors[0]?.detail}`, { errors });
    }
    // Hashed before the transaction: ten hashes are a third of a second that no connection is held for.
    const hashed = await Promise.all(
      questions.map(async ({ question, answer }) => ({
        question,
        answerHash: await passwords.hash(normalizeAnswer(answer)),
      })),
    );
    const { userId } = principalOf(context);
    await db.transaction(async (tx) => {
      await storeQuestions(tx, keyring, userId, hashed);
      await changed(tx, context, 'set', hashed.length);
    });
    return { status: 200, body: { questions: hashed.length } };
  }

  async function remove(context: RouteContext): Promise<Reply> {
    const { userId } = principalOf(context);
    await db.transaction(async (tx) => {
      const removed = await removeQuestions(tx, userId);
      if (removed === 0) throw new DomainError('not_found', 'No security questions are set.');
      await changed(tx, context, 'removed', removed);
    });
    return { status: 204 };
  }

  async function changed(tx: Tx, context: RouteContext, change: 'set' | 'removed', questions: number): Promise<void> {
    const { userId, email } = principalOf(context);
    await audit.append(tx, {
      action: `mfa.security_questions_${change}`,
      actor: { kind: 'user', id: userId },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...factsOf(context.request),
      details: { questions },
    });
    const key = `security-questions:${uuidV7()}`;
    await outbox.enqueue(tx, { ...securityQuestionsLetter(change), key, userId, to: email });
  }

  return [
    route({
      method: 'put',
      path: PATH,
      name: 'setSecurityQuestions',
      summary: 'Set three to ten security questions; needs a fresh factor',
      access: ACCESS,
      body,
      responses: {
        200: { description: 'Set; those from before are gone', schema: z.object({ questions: z.int() }) },
        403: { description: 'step_up_needed' },
        409: { description: 'not_offered: SECURITY_QUESTIONS is off' },
      },
      handler: set,
    }),
    route({
      method: 'delete',
      path: PATH,
      name: 'removeSecurityQuestions',
      summary: 'Remove the security questions; needs a fresh factor',
      access: ACCESS,
      responses: {
        204: { description: 'Removed' },
        403: { description: 'step_up_needed' },
        404: { description: 'not_found' },
      },
      handler: remove,
    }),
  ];
}
