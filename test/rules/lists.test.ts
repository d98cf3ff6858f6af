import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleList } from '../../domain/risk/rule-set.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const PAST = '2020-01-01T00:00:00Z';
const FUTURE = '2099-01-01T00:00:00+02:00';

let stack: Stack;
let rules: RuleSets;
let trading: Trading;
let trader: Trader;

beforeAll(async () => {
  stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  rules = createRuleSets(stack);
  trading = createTrading(stack);
  const [author, second] = [await stack.people.signedIn('admin'), await stack.people.signedIn('admin')];
  trader = await trading.trader();
  const list = (name: string, effect: RuleList['effect'], match: RuleList['match'], entries: RuleList['entries']) => ({
    ...{ name, effect, match, entries },
  });
  await goLive(author, second, [
    list('mules', 'deny', 'counterparty', [
      { value: 'mule', note: 'reported' },
      { value: 'was-mule', until: PAST },
      { value: 'still-mule', until: FUTURE },
      { value: 'both' },
    ]),
    list('partners', 'allow', 'counterparty', [
      { value: 'partner' },
      { value: 'was-partner', until: PAST },
      { value: 'both' },
    ]),
    list('hosting', 'deny', 'ip', [
      { value: '203.0.113.0/24', until: FUTURE },
      { value: '198.51.100.0/24', until: PAST },
      { value: '2001:db8::/32' },
    ]),
    list('watched', 'tag', 'category', [{ value: 'gaming' }]),
  ]);
});
afterAll(() => stack?.close());

/** Holds payments of the category `risky`, and steps up those that are tagged. */
async function goLive(author: SignedIn, second: SignedIn, lists: RuleList[]): Promise<void> {
  const rule = { ...HOLDS_ALL, id: 'risky', when: 'category == "risky"' };
  const tagged = { ...HOLDS_ALL, id: 'tagged', when: 'on_watched', points: 60 };
  await rules.goLive(author, second, documentOf({ lists, rules: [rule, tagged] }));
}

async function ask(more: object, from?: string) {
  const answer = await stack.api.post(
    '/api/transactions',
    { type: 'withdrawal', amount: '10.00', currency: 'USD', ...more },
    {
      token: trader.token,
      signWith: trader.signingKey,
      headers: { 'Idempotency-Key': crypto.randomUUID(), ...(from === undefined ? {} : { 'X-Forwarded-For': from }) },
    },
  );
  const { score, reasons } = await trading.stored(answer.body.transactionId);
  const fired = reasons.filter(({ points, ruleId }) => points !== 0 || ruleId.startsWith('list:'));
  return { status: answer.body.status, score, fired: fired.map(({ ruleId }) => ruleId) };
}

describe('lists of a live rule set', () => {
  it('a denied counterparty is held, before its end and not after it', async () => {
    const held = { status: 'quarantined', score: 100, fired: ['list:mules'] };
    expect(await ask({ counterparty: 'mule' })).toEqual(held);
    expect(await ask({ counterparty: 'still-mule' })).toEqual(held);
    expect(await ask({ counterparty: 'was-mule' })).toEqual({ status: 'settled', score: 0, fired: [] });
    expect(await ask({ counterparty: 'mules' })).toMatchObject({ status: 'settled' });
  });

  it('an allowed one silences the rules, before its end and not after it, and never a denial', async () => {
    expect(await ask({ category: 'risky', counterparty: 'somebody' })).toMatchObject({
      status: 'quarantined',
      score: 75,
    });
    expect(await ask({ category: 'risky', counterparty: 'partner' })).toEqual({
      status: 'settled',
      score: 0,
      fired: ['list:partners'],
    });
    expect(await ask({ category: 'risky', counterparty: 'was-partner' })).toMatchObject({
      status: 'quarantined',
      score: 75,
    });
    expect(await ask({ counterparty: 'both' })).toMatchObject({ status: 'quarantined', score: 100 });
    // The step-up for large amounts is the law's, not the rules'.
    expect(await ask({ counterparty: 'partner', amount: '10000.01' })).toMatchObject({
      status: 'step_up_required',
      score: 0,
    });
  });

  it("a range of addresses is matched by the client's own, as a trusted proxy tells it", async () => {
    expect(await ask({}, '203.0.113.77')).toEqual({ status: 'quarantined', score: 100, fired: ['list:hosting'] });
    expect(await ask({}, '2001:db8:1::7')).toMatchObject({ status: 'quarantined' });
    expect(await ask({}, '198.51.100.7')).toMatchObject({ status: 'settled' });
    expect(await ask({}, '192.0.2.7')).toMatchObject({ status: 'settled' });
    // What a client writes in front of what the proxy saw is nobody's address.
    expect(await ask({}, '203.0.113.77, 192.0.2.7')).toMatchObject({ status: 'settled' });
    expect(await ask({})).toMatchObject({ status: 'settled' });
  });

  it('a tag decides nothing by itself and is what rules may ask', async () => {
    expect(await ask({ category: 'gaming' })).toMatchObject({
      status: 'step_up_required',
      score: 60,
      fired: ['tagged'],
    });
  });
});
