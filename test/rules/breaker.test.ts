import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBreaker } from '../../activities/breaker.ts';
import { createOrm } from '../../db/orm.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const FACTOR = 2;
const MIN_HOLDS = 3;
/** Nothing was held in the back-tested period, so the least forecast counts. */
const LIMIT = FACTOR * MIN_HOLDS;

let stack: Stack;
let rules: RuleSets;
let trading: Trading;
let author: SignedIn;
let second: SignedIn;

beforeAll(async () => {
  stack = await createStack({
    env: { BREAKER_FACTOR: String(FACTOR), BREAKER_MIN_HOLDS: String(MIN_HOLDS), VERDICT_TIMEOUT: '30s' },
  });
  // Back-tests look at days before any of this traffic.
  rules = createRuleSets(stack, { daysAgo: 2 });
  trading = createTrading(stack);
  author = await stack.people.signedIn('admin');
  second = await stack.people.signedIn('admin');
});
afterAll(() => stack?.close());

const settings = { factor: FACTOR, minHolds: MIN_HOLDS };
const breakerOn = (db: Stack['db']) =>
  createBreaker({ db, audit: stack.audit, breaker: settings, log: pino({ level: 'silent' }) });
const traders = (count: number) => Promise.all(Array.from({ length: count }, () => trading.trader()));
const withdraw = (people: readonly Trader[]) => Promise.all(people.map((one) => one.withdraw('10.00')));
const incidentsOf = (version: string) =>
  rows<{ id: string; severity: string; status: string; title: string }>(
    stack.db.fork(),
    `select id, severity, status, title from incident where cause = 'rule_set_breaker' and subject_id = $1`,
    [`rule-set:${version}`],
  );
const demotions = (version: string) =>
  rows<{ details: Record<string, unknown> }>(
    stack.db.fork(),
    `select details from rule_set_event where version = $1 and kind = 'demoted'`,
    [version],
  );

describe('a rule set that holds far more than its back-test foresaw', () => {
  let version: string;

  it('stops deciding by itself: the one before decides the next ones, what it held stays held, staff are told', async () => {
    version = await rules.goLive(author, second, documentOf({ rules: [HOLDS_ALL] }));
    const people = await traders(LIMIT + 1);
    // Up to the limit nothing happens.
    for (const one of people.slice(0, LIMIT)) {
      expect((await one.withdraw('10.00')).body.status).toBe('quarantined');
    }
    expect(await rules.live(author)).toBe(version);
    const last = await (people[LIMIT] as Trader).withdraw('10.00');
    expect(last.body.status).toBe('quarantined');

    // The decision that was one too many has tripped it: nothing waits for a clock.
    expect(await rules.live(author)).toBe('v1');
    expect((await rules.get(author, `/${version}`)).body).toMatchObject({ status: 'shadow' });
    const next = await (await trading.trader()).withdraw('10.00');
    expect(next.body.status).toBe('settled');
    const stored = await trading.stored(next.body.transactionId);
    expect(stored.rule_set_version).toBe('v1');
    // It goes on in the shadow, where it would have held this one as well.
    expect(stored.shadows).toMatchObject([{ version, action: 'quarantine' }]);

    const held = await rows<{ n: string }>(
      stack.db.fork(),
      `select count(*) as n from transaction where rule_set_version = $1 and status = 'quarantined'`,
      [version],
    );
    expect(held).toEqual([{ n: String(LIMIT + 1) }]);
    const queue = await stack.api.get('/api/admin/security/reviews', { token: author.token });
    expect(queue.body.items).toHaveLength(LIMIT + 1);
    const reviewer = await stack.people.signedIn('reviewer');
    const approved = await stack.api.post(
      `/api/admin/security/transactions/${last.body.transactionId}/approve`,
      { reason: 'an ordinary withdrawal' },
      { token: reviewer.token },
    );
    expect(approved).toMatchObject({ status: 200, body: { status: 'settled' } });

    expect(await incidentsOf(version)).toMatchObject([
      {
        severity: 'critical',
        status: 'open',
        title: `Rule set ${version} held far more than expected: v1 decides again`,
      },
    ]);
    await stack.mail.waitFor(second.email, { subject: new RegExp(`^\\[critical\\] Rule set ${version} held`) });
    expect(await demotions(version)).toMatchObject([
      { details: { holds: LIMIT + 1, limit: LIMIT, restored: 'v1', forecast: 'report' } },
    ]);
    const entry = await oneRow<{ actor: string }>(
      stack.db.fork(),
      `select entry::jsonb #>> '{actor,kind}' as actor from audit_entry where action = 'rule_set.demoted' and subject = $1`,
      [version],
    );
    expect(entry.actor).toBe('system');
  });

  it('is not approved again by the report that let it in, and is by a new one', async () => {
    const { items } = (await rules.get(author, `/${version}/backtests`)).body;
    const reason = 'once more';
    expect(
      (await rules.post(author, `/${version}/propose`, { reason, reportId: items[0].backtestId })).body,
    ).toMatchObject({ code: 'report_required', detail: expect.stringContaining('breaker') });
    await rules.propose(author, version);
    expect((await rules.approve(second, version)).status).toBe(200);
    // What it held before counts no more: it was live then by another approval.
    await breakerOn(stack.db).look();
    expect(await rules.live(author)).toBe(version);
  });

  it('trips once, however many workers look, and by the clock where no decision did', async () => {
    await stack.stopWorker();
    // Holds that no decision's own look has seen: written as a worker that dies right after its commit leaves them.
    await run(
      stack.ownerDb.fork(),
      `update transaction set created_at = clock_timestamp() where rule_set_version = $1`,
      [version],
    );
    const other = await createOrm({
      databaseUrl: stack.config.databaseUrl,
      poolMax: 10,
      applicationName: 'test-worker',
    });
    try {
      const looks = Array.from({ length: 10 }, (_, n) => breakerOn(n % 2 === 0 ? stack.db : other).look());
      const reports = await Promise.all(looks);
      expect(reports.filter(({ restored }) => restored !== null)).toHaveLength(1);
      // The incident of the first time is still open: it has the new evidence, and nobody else has one.
      expect(reports.flatMap(({ incidents }) => incidents)).toEqual([]);
      expect(await incidentsOf('v1')).toEqual([]);
    } finally {
      await other.close();
    }
    expect(await demotions(version)).toHaveLength(2);
    expect(await incidentsOf(version)).toHaveLength(1);
    await stack.startWorker();
    const report = await stack.temporal.workflow.execute('breaker', {
      taskQueue: `${stack.config.taskQueuePrefix}-background`,
      workflowId: `${stack.config.taskQueuePrefix}-breaker-test`,
    });
    // By now v1 decides, for less than a week: there is nothing to hold it against.
    expect(report).toEqual({ version: 'v1', holds: null, limit: null, restored: null, incidents: [] });
  });

  it('returns to the version before, past those that the breaker took out', async () => {
    const calm = await rules.goLive(author, second, documentOf({ rules: [{ ...HOLDS_ALL, when: 'amount < 0.0' }] }));
    await rules.propose(author, version);
    expect((await rules.approve(second, version)).status).toBe(200);
    await withdraw(await traders(LIMIT + 1));
    expect(await rules.live(author)).toBe(calm);
    // Once more: the one that is out may not come back as "the version before" of the calm one.
    const wild = await rules.goLive(author, second, documentOf({ rules: [HOLDS_ALL] }));
    await withdraw(await traders(LIMIT + 1));
    expect(await rules.live(author)).toBe(calm);
    expect(await demotions(wild)).toHaveLength(1);
  });
});

describe("the specification's rule set, which has no report", () => {
  it('is held against its own past once that is a week long, and with nothing before it only tells', async () => {
    const fresh = await createStack({
      env: { BREAKER_FACTOR: String(FACTOR), BREAKER_MIN_HOLDS: String(MIN_HOLDS), VERDICT_TIMEOUT: '30s' },
    });
    try {
      const { db, audit, ownerDb } = fresh;
      const look = () => createBreaker({ db, audit, breaker: settings, log: pino({ level: 'silent' }) }).look();
      const money = createTrading(fresh);
      const held = async () => money.held(await money.trader());
      for (let n = 0; n <= LIMIT; n += 1) await held();
      expect(await look()).toMatchObject({ version: 'v1', holds: null, limit: null });
      await run(ownerDb.fork(), `update rule_set set status_at = status_at - interval '8 days' where version = 'v1'`);
      const report = await look();
      expect(report).toMatchObject({ version: 'v1', holds: LIMIT + 1, limit: LIMIT, restored: null });
      expect(report.incidents).toHaveLength(1);
      expect((await look()).incidents).toEqual([]);
      const live = await rows(db.fork(), `select version from rule_set where status = 'live'`);
      expect(live).toEqual([{ version: 'v1' }]);
      // Had it held as many in every hour of the last week, nothing would be unusual.
      await run(
        ownerDb.fork(),
        `insert into transaction
         select (jsonb_populate_record(s.x, jsonb_build_object('id', gen_random_uuid(),
           'created_at', clock_timestamp() - h * interval '1 hour'))).*
           from (select x from transaction x where action = 'quarantine' limit 4) s, generate_series(2, 190) h`,
      );
      await run(
        ownerDb.fork(),
        `update incident set status = 'resolved', resolved_at = clock_timestamp(), resolution = 'x'`,
      );
      expect(await look()).toMatchObject({ limit: FACTOR * 4, holds: LIMIT + 1, incidents: [] });
    } finally {
      await fresh.close();
    }
  });
});
