import { randomUUID } from 'node:crypto';
import { RULE_SET_FORMAT, type RuleDefinition, type RuleSetDocument } from '../../domain/risk/rule-set.ts';
import { eventually } from './eventually.ts';
import type { Answer } from './http.ts';
import type { SignedIn } from './people.ts';
import type { Stack } from './stack.ts';

export const RULE_SETS = '/api/admin/security/rule-sets';

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, asserted field by field
type Body = any;

/** A document of its own at every call: a title nobody else has, no rules unless given. */
export function documentOf(given: Partial<RuleSetDocument> = {}): RuleSetDocument {
  return {
    format: RULE_SET_FORMAT,
    title: `Test ${randomUUID()}`,
    description: 'Made by a test.',
    thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
    rules: [],
    ...given,
  };
}

/** Holds everything. */
export const HOLDS_ALL: RuleDefinition = {
  id: 'everything',
  title: 'Everything there is',
  when: 'amount > 0.0',
  points: 75,
  explain: { value: 'amount' },
};

const DAY_MS = 86_400_000;

/**
 * What tests about rule sets do through the API, as two administrators.
 * @param options.daysAgo when the day ends that back-tests look at
 */
export function createRuleSets(stack: Stack, { daysAgo = 0 }: { daysAgo?: number } = {}) {
  const { api } = stack;
  const post = (who: SignedIn, path: string, body: object = {}): Promise<Answer<Body>> =>
    api.post(`${RULE_SETS}${path}`, body, { token: who.token });

  async function ok(answer: Promise<Answer<Body>>, status: number): Promise<Body> {
    const { status: got, body } = await answer;
    if (got !== status) throw new Error(`expected ${status}, got ${got}: ${JSON.stringify(body)}`);
    return body;
  }

  const rules = {
    post,
    get: (who: SignedIn, path = ''): Promise<Answer<Body>> => api.get(`${RULE_SETS}${path}`, { token: who.token }),

    /** @returns the version's name */
    save: async (who: SignedIn, document: RuleSetDocument, version?: string): Promise<string> =>
      (await ok(post(who, '', { document, ...(version === undefined ? {} : { version }) }), 201)).version,

    shadow: async (who: SignedIn, version: string): Promise<void> => {
      await ok(post(who, `/${version}/shadow`), 200);
    },

    /** Back-tests a day and waits for the report. */
    async report(who: SignedIn, version: string): Promise<{ reportId: string; result: Body }> {
      const end = Date.now() - daysAgo * DAY_MS;
      const period = { from: new Date(end - DAY_MS).toISOString(), to: new Date(end).toISOString() };
      const { backtestId } = await ok(post(who, `/${version}/backtests`, period), 202);
      const done = await eventually(
        async () => {
          const { body } = await rules.get(who, `/${version}/backtests/${backtestId}`);
          return body.finishedAt === null ? undefined : body;
        },
        { what: 'a back-test report', timeoutMs: 30_000 },
      );
      if (done.status !== 'succeeded') throw new Error(`the back-test ended ${done.status}: ${done.reason}`);
      return { reportId: backtestId, result: done.result };
    },

    /** From the shadow (or retirement) to the proposal that a second person may approve. */
    async propose(who: SignedIn, version: string): Promise<void> {
      const { reportId } = await rules.report(who, version);
      await ok(post(who, `/${version}/propose`, { reason: 'it finds more', reportId }), 201);
    },

    approve: (who: SignedIn, version: string) => post(who, `/${version}/approve`, { reason: 'I looked at the report' }),

    /** All the way: saved and proposed by one, approved by the other. @returns the version */
    async goLive(author: SignedIn, second: SignedIn, document: RuleSetDocument): Promise<string> {
      const version = await rules.save(author, document);
      await rules.shadow(author, version);
      await rules.propose(author, version);
      await ok(rules.approve(second, version), 200);
      return version;
    },

    live: async (who: SignedIn): Promise<string> => {
      const { body } = await rules.get(who);
      return body.items
        .filter(({ status }: { status: string }) => status === 'live')
        .map((one: Body) => one.version)
        .join();
    },
  };
  return rules;
}

export type RuleSets = ReturnType<typeof createRuleSets>;
