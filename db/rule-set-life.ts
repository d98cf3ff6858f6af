import { DomainError } from '../domain/errors.ts';
import { uuidV7 } from '../security/uuid.ts';
import { lockRuleSets, recordRuleSetEvent } from './rule-set-events.ts';
import type { RuleSetStatus } from './rule-sets.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

/** How strict the way to the decisions is. */
export interface LifeSettings {
  readonly maxShadows: number;
  /** Milliseconds a back-test report counts for. */
  readonly reportMaxAgeMs: number;
}

export interface Proposal {
  id: string;
  version: string;
  reportId: string;
  replaces: string;
  reason: string;
  proposedBy: string;
  proposedAt: string;
}

interface VersionRow {
  version: string;
  status: RuleSetStatus;
  created_by: string | null;
}

/** The version under the lock of all changes. @throws DomainError `not_found` */
async function lockVersion(tx: Tx, version: string): Promise<VersionRow> {
  await lockRuleSets(tx);
  const found = await row<VersionRow>(tx, 'select version, status, created_by from rule_set where version = $1', [
    version,
  ]);
  if (found === undefined) throw new DomainError('not_found', 'There is no such rule set.');
  return found;
}

async function setStatus(tx: Tx, version: string, status: RuleSetStatus): Promise<void> {
  await run(tx, 'update rule_set set status = $2, status_at = clock_timestamp() where version = $1', [version, status]);
}

function refuseUnless(found: VersionRow, allowed: readonly RuleSetStatus[], to: string): void {
  if (allowed.includes(found.status)) return;
  throw new DomainError('illegal_transition', `A rule set that is ${found.status} cannot become ${to}.`);
}

/**
 * Lets a version judge in the shadow: beside every decision, without effect.
 * @throws DomainError `not_found`, `illegal_transition`, `too_many_shadows`
 */
export async function putInShadow(tx: Tx, given: { version: string; by: string }, settings: LifeSettings) {
  refuseUnless(await lockVersion(tx, given.version), ['draft', 'retired'], 'a shadow');
  const { shadows } = await oneRow<{ shadows: string }>(
    tx,
    `select count(*) as shadows from rule_set where status = 'shadow'`,
  );
  if (Number(shadows) >= settings.maxShadows) {
    throw new DomainError('too_many_shadows', `${shadows} rule sets are in the shadow: retire one first.`);
  }
  await setStatus(tx, given.version, 'shadow');
  await recordRuleSetEvent(tx, { version: given.version, kind: 'shadow', actor: given.by });
}

/** Takes a version out of use; the live one is only ever replaced. @throws DomainError `not_found`, `illegal_transition` */
export async function retireRuleSet(tx: Tx, given: { version: string; by: string }): Promise<void> {
  refuseUnless(await lockVersion(tx, given.version), ['draft', 'shadow'], 'retired');
  await endProposals(tx, 'withdrawn', given.version);
  await setStatus(tx, given.version, 'retired');
  await recordRuleSetEvent(tx, { version: given.version, kind: 'retired', actor: given.by });
}

async function endProposals(tx: Tx, status: 'replaced' | 'outdated' | 'withdrawn', version: string | null) {
  await run(
    tx,
    `update rule_set_proposal set status = $1, decided_at = clock_timestamp()
      where status = 'open' and ($2::text is null or version = $2)`,
    [status, version],
  );
}

/**
 * Refuses a report that does not speak for the version as it would go live now.
 * @throws DomainError `report_required`
 */
async function checkReport(tx: Tx, version: string, reportId: string, settings: LifeSettings): Promise<void> {
  const found = await row<{ status: string; about: boolean; fresh: boolean; tripped: boolean }>(
    tx,
    `select b.status, b.version = r.version and b.sha256 = r.sha256 as about,
            b.made_at > clock_timestamp() - make_interval(secs => $3::double precision / 1000) as fresh,
            b.requested_at <= coalesce((select max(at) from rule_set_event e where e.version = r.version and e.kind = 'demoted'),
              '-infinity') as tripped
       from backtest_report b, rule_set r where b.id = $2 and r.version = $1`,
    [version, reportId, settings.reportMaxAgeMs],
  );
  const refuse = (why: string) => new DomainError('report_required', `Going live needs a back-test of it: ${why}.`);
  if (found?.about !== true) throw refuse('there is no such report of this version');
  if (found.status !== 'succeeded') throw refuse('this one has no result');
  if (!found.fresh) throw refuse('this one is too old');
  if (found.tripped) throw refuse('the breaker took it out of the decisions after this one: make a new one');
}

/**
 * Proposes a version for the decisions; a second person approves. An open proposal of it is replaced.
 * @throws DomainError `not_found`, `illegal_transition`, `report_required`
 */
export async function proposeRuleSet(
  tx: Tx,
  given: { version: string; reportId: string; reason: string; by: string },
  settings: LifeSettings,
): Promise<Proposal> {
  refuseUnless(
    await lockVersion(tx, given.version),
    ['shadow', 'retired'],
    'live: it has to judge in the shadow first',
  );
  await checkReport(tx, given.version, given.reportId, settings);
  await endProposals(tx, 'replaced', given.version);
  const id = uuidV7();
  const { replaces, proposed_at } = await oneRow<{ replaces: string; proposed_at: string }>(
    tx,
    `insert into rule_set_proposal (id, version, report_id, replaces, reason, proposed_by, status)
     select $1, $2, $3, r.version, $4, $5, 'open' from rule_set r where r.status = 'live'
     returning replaces, proposed_at`,
    [id, given.version, given.reportId, given.reason, given.by],
  );
  await recordRuleSetEvent(tx, {
    version: given.version,
    kind: 'proposed',
    actor: given.by,
    proposalId: id,
    details: { reason: given.reason, reportId: given.reportId, replaces },
  });
  const { version, reportId, reason, by } = given;
  return { id, version, reportId, replaces, reason, proposedBy: by, proposedAt: proposed_at };
}

/** The open proposal of a version. */
export async function openProposal(tx: Tx, version: string): Promise<Proposal | undefined> {
  return row<Proposal>(
    tx,
    `select id, version, report_id as "reportId", replaces, reason, proposed_by as "proposedBy", proposed_at as "proposedAt"
       from rule_set_proposal where version = $1 and status = 'open'`,
    [version],
  );
}

/**
 * Lets the proposed version decide from now on; the one before is retired. All in the caller's transaction. Of two
 * approvals at once the second finds its proposal outdated.
 *
 * @returns the proposal that was approved
 * @throws DomainError `not_found`, `no_proposal`, `live_changed`, `second_person_required`, `illegal_transition`,
 *   `report_required`
 */
export async function approveRuleSet(
  tx: Tx,
  given: { version: string; reason: string; by: string },
  settings: LifeSettings,
): Promise<Proposal> {
  const found = await lockVersion(tx, given.version);
  const proposal = await openProposal(tx, given.version);
  const live = await oneRow<{ version: string }>(tx, `select version from rule_set where status = 'live'`);
  if (proposal === undefined) throw await withoutProposal(tx, given.version, live.version);
  if (proposal.replaces !== live.version) throw liveChanged(live.version);
  if (proposal.proposedBy === given.by) {
    throw new DomainError('second_person_required', 'You proposed it: somebody else approves.');
  }
  if (found.created_by === given.by) {
    throw new DomainError('second_person_required', 'You wrote it: somebody else approves.');
  }
  await checkProposer(tx, proposal.proposedBy);
  refuseUnless(found, ['shadow', 'retired'], 'live');
  await checkReport(tx, given.version, proposal.reportId, settings);

  await run(
    tx,
    `update rule_set_proposal set status = 'approved', decided_by = $2, decided_at = clock_timestamp() where id = $1`,
    [proposal.id, given.by],
  );
  await replaceLive(tx, {
    ...{ from: live.version, becomes: 'retired', to: given.version, actor: given.by, proposalId: proposal.id },
    details: { reason: given.reason, reportId: proposal.reportId },
  });
  return proposal;
}

/** Who proposed must still be somebody who may. */
async function checkProposer(tx: Tx, userId: string): Promise<void> {
  const found = await row(tx, `select from app_user where id = $1 and role = 'admin' and disabled_at is null`, [
    userId,
  ]);
  if (found === undefined) {
    throw new DomainError('no_proposal', 'Who proposed it is no administrator any more: propose it anew.');
  }
}

async function withoutProposal(tx: Tx, version: string, live: string): Promise<DomainError> {
  const latest = await row<{ status: string }>(
    tx,
    'select status from rule_set_proposal where version = $1 order by proposed_at desc, id desc limit 1',
    [version],
  );
  return latest?.status === 'outdated' ? liveChanged(live) : new DomainError('no_proposal', 'Nobody has proposed it.');
}

function liveChanged(live: string): DomainError {
  return new DomainError('live_changed', `Meanwhile ${live} went live: propose it anew, against that one.`, { live });
}

/** Swaps the live version under the lock; every other proposal was made against the one that goes. */
export async function replaceLive(
  tx: Tx,
  change: {
    from: string;
    becomes: 'retired' | 'shadow';
    to: string;
    actor: string | null;
    proposalId?: string;
    details: Record<string, unknown>;
  },
): Promise<void> {
  const { from, becomes, to, actor, proposalId, details } = change;
  await setStatus(tx, from, becomes);
  await recordRuleSetEvent(tx, {
    version: from,
    kind: becomes === 'shadow' ? 'demoted' : 'retired',
    actor,
    details: becomes === 'shadow' ? { ...details, restored: to } : { replacedBy: to },
  });
  await setStatus(tx, to, 'live');
  await recordRuleSetEvent(tx, {
    version: to,
    kind: 'live',
    actor,
    ...(proposalId === undefined ? {} : { proposalId }),
    details: { ...details, replaced: from },
  });
  await endProposals(tx, 'outdated', null);
}
