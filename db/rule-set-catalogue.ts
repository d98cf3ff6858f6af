import { hash } from 'node:crypto';
import { DomainError } from '../domain/errors.ts';
import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { canonicalJson } from '../security/canonical-json.ts';
import { lockRuleSets, recordRuleSetEvent } from './rule-set-events.ts';
import type { RuleSetStatus } from './rule-sets.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/** A version without its document. */
export interface RuleSetRow {
  version: string;
  title: string;
  status: RuleSetStatus;
  origin: 'published' | 'created';
  /** Hex, over the stored text. */
  sha256: string;
  created_by: string | null;
  created_at: string;
  status_at: string;
  rules: number;
}

const COLUMNS = `version, document ->> 'title' as title, status, origin, encode(sha256, 'hex') as sha256, created_by, created_at,
  status_at, json_array_length(document -> 'rules') as rules`;

/** All versions: the live one, those in the shadow, drafts, retired ones; the latest change first. */
export function listRuleSets(tx: Tx): Promise<RuleSetRow[]> {
  return rows<RuleSetRow>(
    tx,
    `select ${COLUMNS} from rule_set
      order by array_position(array['live', 'shadow', 'draft', 'retired'], status), status_at desc, version`,
  );
}

/** One version with its document. @throws DomainError `not_found` */
export async function readRuleSet(tx: Tx, version: string): Promise<RuleSetRow & { document: RuleSetDocument }> {
  const found = await row<RuleSetRow & { document: RuleSetDocument }>(
    tx,
    `select ${COLUMNS}, document from rule_set where version = $1`,
    [version],
  );
  if (found === undefined) throw new DomainError('not_found', 'There is no such rule set.');
  return found;
}

export interface SaveRuleSet {
  /** Null for the next `rN`. */
  readonly version: string | null;
  readonly document: RuleSetDocument;
  readonly createdBy: string;
}

/**
 * Stores a checked document as a draft, in its canonical text (RFC 8785), which is what is hashed.
 * @returns the version's name
 * @throws DomainError `already_exists` when the name is taken, or a version has this very document: `version` names it
 */
export async function saveRuleSet(tx: Tx, { version, document, createdBy }: SaveRuleSet): Promise<string> {
  await lockRuleSets(tx);
  const text = canonicalJson(document);
  const twin = await twinOf(tx, text);
  if (twin !== undefined) {
    throw new DomainError('already_exists', `Version ${twin} has this very document.`, { version: twin });
  }
  const name = version ?? (await nextName(tx));
  const inserted = await run(
    tx,
    `insert into rule_set (version, document, sha256, status, origin, created_by)
     values ($1, $2, $3, 'draft', 'created', $4) on conflict (version) do nothing`,
    [name, text, digestOf(text), createdBy],
  );
  if (inserted === 0) {
    throw new DomainError('already_exists', `There is a version ${name}: versions are never changed.`, {
      version: name,
    });
  }
  await recordRuleSetEvent(tx, { version: name, kind: 'saved', actor: createdBy });
  return name;
}

const digestOf = (text: string) => hash('sha256', text, 'buffer');

/** The version that has this document; published ones are stored as their authors ordered the members. */
async function twinOf(tx: Tx, text: string): Promise<string | undefined> {
  const same = await row<{ version: string }>(tx, 'select version from rule_set where sha256 = $1', [digestOf(text)]);
  if (same !== undefined) return same.version;
  const published = await rows<{ version: string; document: RuleSetDocument }>(
    tx,
    `select version, document from rule_set where origin = 'published'`,
  );
  return published.find(({ document }) => canonicalJson(document) === text)?.version;
}

async function nextName(tx: Tx): Promise<string> {
  const { next } = await oneRow<{ next: string }>(
    tx,
    `select (coalesce(max(substr(version, 2)::bigint), 0) + 1)::text as next from rule_set where version ~ '^r[0-9]{1,15}$'`,
  );
  return `r${next}`;
}

/** What a version did lately. */
export interface RecentUse {
  /** Decisions that it made, or watched from the shadow. */
  decided: number;
  held: number;
  /** By rule, how often it gave points. */
  fired: Record<string, number>;
}

/** How many of the newest decisions are looked at, at most. */
const RECENT_DECISIONS = 5_000;

/**
 * What each version did within the last hours, of the newest decisions: enough to see whether a rule fires, at a bounded
 * cost whatever the traffic.
 */
export async function recentUse(tx: Tx, hours: number): Promise<Map<string, RecentUse>> {
  const found = await rows<{ version: string; decided: string; held: string; fired: Record<string, number> | null }>(
    tx,
    `with recent as materialized (
       select rule_set_version, action, reasons, shadows from transaction
        where created_at >= clock_timestamp() - make_interval(hours => $1) and action is not null
        order by created_at desc, id desc limit ${RECENT_DECISIONS}),
     judged as (
       select rule_set_version as version, action,
              (select jsonb_object_agg(r ->> 'ruleId', 1) from jsonb_array_elements(reasons) r
                where (r ->> 'points')::integer <> 0) as points
         from recent
       union all
       select s ->> 'version', s ->> 'action', s -> 'points' from recent cross join lateral jsonb_array_elements(shadows) s),
     fires as (
       select version, key, count(*) as n from judged cross join lateral jsonb_object_keys(points) as key
        group by version, key)
     select version, count(*) as decided,
            count(*) filter (where action in ('quarantine', 'step_up_then_quarantine')) as held,
            (select jsonb_object_agg(key, n) from fires f where f.version = j.version) as fired
       from judged j group by version`,
    [hours],
  );
  return new Map(
    found.map(({ version, decided, held, fired }) => [
      version,
      { decided: Number(decided), held: Number(held), fired: fired ?? {} },
    ]),
  );
}
