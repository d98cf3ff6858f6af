import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

let stack: Stack;
let rules: RuleSets;
let author: SignedIn;
let second: SignedIn;

beforeAll(async () => {
  stack = await createStack({ env: { SHADOW_RULE_SETS_MAX: '4', VERDICT_TIMEOUT: '30s' } });
  rules = createRuleSets(stack);
  author = await stack.people.signedIn('admin');
  second = await stack.people.signedIn('admin');
});
afterAll(() => stack?.close());

/** A rule that never fires: its version changes nothing for anybody. */
const harmless = () => documentOf({ rules: [{ ...HOLDS_ALL, when: 'amount < 0.0' }] });
const reason = 'it finds more';
const liveRows = () => rows<{ version: string }>(stack.db.fork(), `select version from rule_set where status = 'live'`);

async function inShadow(): Promise<string> {
  const version = await rules.save(author, harmless());
  await rules.shadow(author, version);
  return version;
}

describe('the way of a version to the decisions', () => {
  it('goes through the shadow, a report, one who proposes and another one who approves, and back again', async () => {
    const version = await rules.save(author, harmless());
    expect((await rules.approve(second, version)).body.code).toBe('no_proposal');
    const { reportId } = await rules.report(author, version);
    // A draft has not been seen at work yet.
    expect(await rules.post(author, `/${version}/propose`, { reason, reportId })).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition' },
    });
    await rules.shadow(author, version);
    expect((await rules.post(author, `/${version}/shadow`)).body.code).toBe('illegal_transition');
    const proposed = await rules.post(author, `/${version}/propose`, { reason, reportId });
    expect(proposed).toMatchObject({ status: 201, body: { replaces: 'v1', proposedBy: author.userId, reason } });
    expect(await rules.approve(author, version)).toMatchObject({
      status: 403,
      body: { code: 'second_person_required' },
    });
    expect(await rules.approve(second, version)).toMatchObject({
      status: 200,
      body: { version, status: 'live', replaced: 'v1' },
    });
    expect(await liveRows()).toEqual([{ version }]);
    expect((await rules.get(author, '/v1')).body.status).toBe('retired');
    const { details } = await oneRow<{ details: Record<string, unknown> }>(
      stack.db.fork(),
      `select entry::jsonb -> 'details' as details from audit_entry where action = 'rule_set.live' and subject = $1`,
      [version],
    );
    expect(details).toMatchObject({
      replaced: 'v1',
      proposedBy: author.userId,
      reportId,
      diff: { rules: { added: ['everything'], removed: expect.arrayContaining(['velocity']) } },
    });
    // The next decision is made by it.
    const trading = createTrading(stack);
    const trader = await trading.trader();
    const { body } = await trader.withdraw('10.00');
    expect((await trading.stored(body.transactionId)).rule_set_version).toBe(version);

    // Live is only ever replaced.
    expect((await rules.post(author, `/${version}/retire`)).body.code).toBe('illegal_transition');
    expect((await rules.post(author, `/${version}/shadow`)).body.code).toBe('illegal_transition');
    // Rollback goes by the same gate.
    expect(await rules.post(author, '/v1/propose', { reason, reportId })).toMatchObject({
      status: 409,
      body: { code: 'report_required' },
    });
    await rules.propose(author, 'v1');
    expect((await rules.approve(second, 'v1')).status).toBe(200);
    expect(await liveRows()).toEqual([{ version: 'v1' }]);
    const { events } = (await rules.get(author, `/${version}`)).body;
    expect(events.map(({ kind }: { kind: string }) => kind)).toEqual([
      'saved',
      'shadow',
      'proposed',
      'live',
      'retired',
    ]);
  });

  it('asks for a report of that very version that is fresh', async () => {
    const [one, other] = [await inShadow(), await inShadow()];
    const { reportId } = await rules.report(author, one);
    const propose = (version: string, id: string) =>
      rules.post(author, `/${version}/propose`, { reason, reportId: id });
    expect((await propose(other, reportId)).body).toMatchObject({ code: 'report_required' });
    expect((await propose(one, '0199aa00-0000-7000-8000-000000000001')).body.code).toBe('report_required');
    // A month later: the report is of another time.
    await run(stack.ownerDb.fork(), 'alter table backtest_report disable trigger backtest_report_final');
    await run(stack.ownerDb.fork(), `update backtest_report set made_at = made_at - interval '31 days' where id = $1`, [
      reportId,
    ]);
    await run(stack.ownerDb.fork(), 'alter table backtest_report enable trigger backtest_report_final');
    expect((await propose(one, reportId)).body).toMatchObject({
      code: 'report_required',
      detail: expect.stringContaining('too old'),
    });
    await rules.post(author, `/${one}/retire`);
    await rules.post(author, `/${other}/retire`);
  });

  it('lets nobody approve what they wrote, and counts no proposer who may no longer', async () => {
    const version = await inShadow();
    await rules.propose(second, version);
    expect(await rules.approve(author, version)).toMatchObject({
      status: 403,
      body: { code: 'second_person_required', detail: expect.stringContaining('wrote') },
    });
    // Nor what they proposed, whoever wrote it.
    expect(await rules.approve(second, version)).toMatchObject({
      status: 403,
      body: { code: 'second_person_required', detail: expect.stringContaining('proposed') },
    });
    const third = await stack.people.signedIn('admin');
    await run(stack.db.fork(), 'update app_user set disabled_at = clock_timestamp() where id = $1', [second.userId]);
    expect((await rules.approve(third, version)).body.code).toBe('no_proposal');
    await run(stack.db.fork(), 'update app_user set disabled_at = null where id = $1', [second.userId]);
    await rules.post(author, `/${version}/retire`);
    expect((await rules.approve(third, version)).body.code).toBe('no_proposal');
  });

  it('is closed to reviewers and to those whose factor is old', async () => {
    const version = await inShadow();
    const reviewer = await stack.people.signedIn('reviewer');
    for (const step of ['shadow', 'retire', 'propose', 'approve']) {
      expect((await rules.post(reviewer, `/${version}/${step}`, {})).status, step).toBe(403);
    }
    await run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [
      second.userId,
    ]);
    expect((await rules.approve(second, version)).body.code).toBe('step_up_needed');
    await run(stack.db.fork(), 'update session set factor_at = clock_timestamp() where user_id = $1', [second.userId]);
    await rules.post(author, `/${version}/retire`);
  });

  it('keeps to so many shadows', async () => {
    const made = [await inShadow(), await inShadow(), await inShadow(), await inShadow()];
    const fifth = await rules.save(author, harmless());
    expect((await rules.post(author, `/${fifth}/shadow`)).body.code).toBe('too_many_shadows');
    for (const version of made) await rules.post(author, `/${version}/retire`);
    // A retired one may watch again.
    expect((await rules.post(author, `/${made[0]}/shadow`)).status).toBe(200);
    await rules.post(author, `/${made[0]}/retire`);
  });
});

describe('two approvals at once', () => {
  it('make one of them live, and the other one is told that it has to be proposed anew', async () => {
    for (let round = 0; round < 3; round += 1) {
      const [a, b] = [await inShadow(), await inShadow()];
      await rules.propose(author, a);
      await rules.propose(author, b);
      const answers = await Promise.all([rules.approve(second, a), rules.approve(second, b)]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      const winner = answers[0]?.status === 200 ? a : b;
      const loser = winner === a ? b : a;
      expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'live_changed', live: winner });
      expect(await liveRows()).toEqual([{ version: winner }]);
      expect((await rules.approve(second, loser)).body.code).toBe('live_changed');
      await rules.post(author, `/${loser}/retire`);
    }
  });

  it('of one version are one change', async () => {
    const version = await inShadow();
    await rules.propose(author, version);
    const third = await stack.people.signedIn('admin');
    const answers = await Promise.all([rules.approve(second, version), rules.approve(third, version)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    const events = await rows(stack.db.fork(), `select 1 from rule_set_event where version = $1 and kind = 'live'`, [
      version,
    ]);
    expect(events).toHaveLength(1);
  });
});

describe('the database', () => {
  it('has exactly one live version, whoever asks for something else', async () => {
    const change = (text: string) => run(stack.ownerDb.fork(), text);
    await expect(change(`update rule_set set status = 'live' where version = 'v2'`)).rejects.toThrow(/unique/);
    await expect(change(`update rule_set set status = 'retired' where status = 'live'`)).rejects.toThrow(
      /must be live/,
    );
    expect(await liveRows()).toHaveLength(1);
  });
});
