import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, run } from '../../db/sql.ts';
import { RULE_SET_V2 } from '../../domain/risk/rule-sets/v2.ts';
import { VOCABULARY } from '../../domain/risk/vocabulary.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let rules: RuleSets;
let admin: SignedIn;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  rules = createRuleSets(stack);
  admin = await stack.people.signedIn('admin');
});
afterAll(() => stack?.close());

describe('saving a rule set', () => {
  it('stores the canonical text under the next name, as a draft, hashed, with its author and its trace', async () => {
    const document = documentOf({ rules: [HOLDS_ALL], params: { limit: 0.1 } });
    const answer = await rules.post(admin, '', { document });
    expect(answer).toMatchObject({
      status: 201,
      body: { status: 'draft', origin: 'created', createdBy: admin.userId, document, rules: 1, proposal: null },
    });
    expect(answer.body.version).toMatch(/^r\d+$/);
    expect(answer.headers.get('location')).toBe(`/api/admin/security/rule-sets/${answer.body.version}`);
    const stored = await oneRow<{ text: string; hashed: string }>(
      stack.db.fork(),
      `select document::text as text, encode(sha256(convert_to(document::text, 'UTF8')), 'hex') as hashed
         from rule_set where version = $1`,
      [answer.body.version],
    );
    expect(stored).toEqual({ text: canonicalJson(document), hashed: answer.body.sha256 });
    expect(answer.body.events).toMatchObject([{ kind: 'saved', actor: admin.userId }]);
    const entry = await oneRow<{ actor: string; details: object }>(
      stack.db.fork(),
      `select actor, entry::jsonb -> 'details' as details from audit_entry where action = 'rule_set.saved' and subject = $1`,
      [answer.body.version],
    );
    expect(entry).toEqual({ actor: admin.userId, details: { sha256: stored.hashed, rules: 1 } });
    const next = await rules.save(admin, documentOf());
    expect(Number(next.slice(1))).toBe(Number(answer.body.version.slice(1)) + 1);
  });

  it("takes a name of one's own once, and a document once, whatever the order of its members", async () => {
    const document = documentOf();
    expect(await rules.save(admin, document, 'spring-2027')).toBe('spring-2027');
    expect(await rules.post(admin, '', { version: 'spring-2027', document: documentOf() })).toMatchObject({
      status: 409,
      body: { code: 'already_exists', version: 'spring-2027' },
    });
    const reordered = Object.fromEntries(Object.entries(document).toReversed());
    expect(await rules.post(admin, '', { document: reordered })).toMatchObject({
      status: 409,
      body: { code: 'already_exists', version: 'spring-2027', detail: expect.stringContaining('spring-2027') },
    });
    expect(await rules.post(admin, '', { document: RULE_SET_V2 })).toMatchObject({
      status: 409,
      body: { code: 'already_exists', version: 'v2' },
    });
    for (const version of ['vocabulary', 'check', 'Upper', '../x', '']) {
      expect((await rules.post(admin, '', { version, document: documentOf() })).status, version).toBe(400);
    }
  });

  it('twenty at once get twenty names', async () => {
    const saved = await Promise.all(Array.from({ length: 20 }, () => rules.save(admin, documentOf())));
    expect(new Set(saved).size).toBe(20);
  });

  it('names every fault with its place and the character of the expression', async () => {
    const broken = documentOf({
      rules: [
        { ...HOLDS_ALL, when: 'amount > nothing_known' },
        { id: 'text', title: 'No condition', when: 'category', points: 1 },
        { id: 'half', title: 'Not closed', when: 'amount > (1.0', points: 1 },
      ],
    });
    const answer = await rules.post(admin, '', { document: broken });
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(answer.body.errors).toMatchObject([
      { pointer: '/document/rules/0/when', position: 9, detail: expect.stringContaining('nothing_known') },
      { pointer: '/document/rules/1/when', detail: 'must be a bool, and is a string' },
      { pointer: '/document/rules/2/when', position: expect.any(Number) },
    ]);
    const checked = await rules.post(admin, '/check', { document: broken });
    expect(checked).toMatchObject({
      status: 200,
      body: { valid: false, faults: [{ pointer: '/rules/0/when', position: 9 }, {}, {}] },
    });
    expect((await rules.post(admin, '/check', { document: documentOf() })).body).toEqual({ valid: true, faults: [] });
  });

  it.each([
    ['a member nobody knows', { rulez: [] }, '/document'],
    ['101 rules', { rules: Array.from({ length: 101 }, (_, n) => ({ ...HOLDS_ALL, id: `r${n}` })) }, '/document/rules'],
    [
      'an expression of 1,001 characters',
      { rules: [{ ...HOLDS_ALL, when: `${'true || '.repeat(124)}true${' '.repeat(5)}` }] },
      '/document/rules/0/when',
    ],
    ['points that are not whole', { rules: [{ ...HOLDS_ALL, points: 0.5 }] }, '/document/rules/0/points'],
    [
      'an end that is no time',
      { lists: [{ name: 'l', effect: 'deny', match: 'account', entries: [{ value: 'x', until: 'soon' }] }] },
      '/document/lists/0/entries/0/until',
    ],
    [
      '10,001 entries',
      {
        lists: [
          {
            name: 'l',
            effect: 'deny',
            match: 'account',
            entries: Array.from({ length: 10_001 }, (_, n) => ({ value: `a${n}` })),
          },
        ],
      },
      '/document/lists/0/entries',
    ],
    ['U+0000', { title: 'a\u0000b' }, '/document/title'],
    [
      'thresholds that descend',
      { thresholds: { factorAbove: 80, reviewAbove: 70, escalateAbove: 60, highRiskAbove: 60 } },
      '/document/thresholds',
    ],
    ['another format', { format: 'tradeguard-rules/2' }, '/document/format'],
  ])('refuses %s', async (_, change, pointer) => {
    const answer = await rules.post(admin, '', { document: { ...documentOf(), ...change } });
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0].pointer).toBe(pointer);
  });

  it("takes 10,000 entries, more than other routes read, and no stranger's large body", async () => {
    const entries = Array.from({ length: 10_000 }, (_, n) => ({ value: `account-${n}`, note: 'seen in a leak' }));
    const document = documentOf({ lists: [{ name: 'leaked', effect: 'tag', match: 'account', entries }] });
    expect(JSON.stringify(document).length).toBeGreaterThan(400_000);
    const version = await rules.save(admin, document);
    expect((await rules.get(admin, `/${version}`)).body.document.lists[0].entries).toHaveLength(10_000);
    expect((await stack.api.post('/api/admin/security/rule-sets', { document })).status).toBe(401);
    const huge = { document: { ...document, description: 'x'.repeat(2_200_000) } };
    expect(await rules.post(admin, '', huge)).toMatchObject({ status: 400, body: { code: 'malformed_body' } });
  });

  it('is for administrators with a fresh factor; the database lets nobody edit or delete one', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    expect((await rules.post(reviewer, '', { document: documentOf() })).status).toBe(403);
    const version = await rules.save(admin, documentOf());
    const change = (text: string) => run(stack.ownerDb.fork(), text, [version]);
    await expect(change(`update rule_set set document = '{}' where version = $1`)).rejects.toThrow(/immutable/);
    await expect(change(`update rule_set set created_by = null where version = $1`)).rejects.toThrow(/immutable/);
    await expect(change('delete from rule_set where version = $1')).rejects.toThrow(/append-only/);
    await expect(change(`update rule_set_event set kind = 'live' where version = $1`)).rejects.toThrow(/append-only/);
    await expect(change('delete from rule_set_event where version = $1')).rejects.toThrow(/append-only/);
  });
});

describe('what there is', () => {
  it('lists the live version first, each with its origin and what it did lately', async () => {
    const { items } = (await rules.get(admin)).body;
    expect(items[0]).toMatchObject({ version: 'v1', status: 'live', origin: 'published', lately: { hours: 24 } });
    expect(items.map(({ version }: { version: string }) => version)).toEqual(expect.arrayContaining(['v2', 'v3']));
  });

  it('tells the vocabulary with type, unit and meaning', async () => {
    const { features } = (await rules.get(admin, '/vocabulary')).body;
    expect(features).toEqual(Object.entries(VOCABULARY).map(([name, definition]) => ({ name, ...definition })));
  });

  it('tells two versions apart by rule, list and member', async () => {
    const entry = (value: string) => ({ value });
    const list = { name: 'partners', effect: 'allow', match: 'counterparty' } as const;
    const other = { ...HOLDS_ALL, id: 'other' };
    const before = documentOf({
      rules: [HOLDS_ALL, other],
      params: { limit: 1 },
      lists: [{ ...list, entries: [entry('a'), entry('b')] }],
    });
    const after = {
      ...before,
      title: 'After',
      params: { limit: 2 },
      thresholds: { ...before.thresholds, reviewAbove: 75 },
      rules: [
        { ...HOLDS_ALL, points: 80 },
        { ...HOLDS_ALL, id: 'fresh' },
      ],
      lists: [{ ...list, entries: [entry('b'), entry('c')] }],
    };
    const [a, b] = [await rules.save(admin, before), await rules.save(admin, after)];
    const { body } = await rules.get(admin, `/${b}/diff?against=${a}`);
    expect(body).toEqual({
      version: b,
      against: a,
      rules: {
        added: ['fresh'],
        removed: ['other'],
        changed: [{ id: 'everything', members: [{ pointer: '/points', from: 75, to: 80 }] }],
      },
      lists: {
        added: [],
        removed: [],
        changed: [
          {
            name: 'partners',
            added: 1,
            removed: 1,
            changed: 0,
            examples: [
              { change: 'added', value: 'c' },
              { change: 'removed', value: 'a' },
            ],
            members: [],
          },
        ],
      },
      members: expect.arrayContaining([
        { pointer: '/thresholds/reviewAbove', from: 70, to: 75 },
        { pointer: '/params/limit', from: 1, to: 2 },
        { pointer: '/title', from: before.title, to: 'After' },
      ]),
    });
    expect((await rules.get(admin, '/v2/diff')).body).toMatchObject({ against: 'v1', rules: { removed: [] } });
    expect((await rules.get(admin, '/nothing')).status).toBe(404);
    expect((await rules.get(admin, '/v2/diff?against=nothing')).status).toBe(404);
  });
});
