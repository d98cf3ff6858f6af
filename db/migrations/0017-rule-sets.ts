import { Migration } from '@mikro-orm/migrations';
import { PUBLISHED_RULE_SETS } from '../../domain/risk/rule-sets/published.ts';

/** Rule sets as immutable documents, what they decide in the shadow, and the states of counterparties and population. */
export class RuleSets extends Migration {
  override name = '0017-rule-sets';

  override up(): void {
    this.addSql(RULE_SETS);
    for (const [version, document] of Object.entries(PUBLISHED_RULE_SETS)) {
      const text = JSON.stringify(document).replaceAll("'", "''");
      this.addSql(`
        insert into rule_set (version, document, sha256, status, origin, status_at)
        values ('${version}', '${text}', sha256(convert_to('${text}', 'UTF8')), '${version === 'v1' ? 'live' : 'draft'}', 'published', clock_timestamp());`);
    }
    this.addSql(STATES);
  }
}

const RULE_SETS = `
  create table rule_set (
    version text primary key check (version ~ '^[a-z0-9][a-z0-9._-]{0,39}$'),
    document json not null,
    sha256 bytea not null unique,
    status text not null check (status in ('draft', 'shadow', 'live', 'retired')),
    origin text not null check (origin in ('published', 'created')),
    created_by uuid references app_user,
    created_at timestamptz not null default clock_timestamp(),
    status_at timestamptz not null default clock_timestamp()
  );
  create unique index rule_set_live on rule_set (status) where status = 'live';
  comment on table rule_set is 'a version is never edited: every decision names the one it was made with';
  comment on column rule_set.document is 'json, not jsonb: sha256 is over this very text';

  create function rule_set_immutable() returns trigger language plpgsql as $$
  begin
    if new.version <> old.version or new.document::text <> old.document::text or new.sha256 <> old.sha256
       or new.origin <> old.origin or new.created_by is distinct from old.created_by or new.created_at <> old.created_at then
      raise exception 'rule set % is immutable', old.version using errcode = 'restrict_violation';
    end if;
    return new;
  end $$;
  create trigger rule_set_immutable before update on rule_set for each row execute function rule_set_immutable();

  alter table profile add column payout_changed_at timestamptz;

  alter table transaction add column shadows jsonb, add column counterfactual jsonb;
  comment on column transaction.shadows is
    'what the versions in the shadow would have decided: [{version, score, action, points: {rule: points}}]';
  comment on column transaction.counterfactual is
    'of a hold: {"notHeldUpTo": amount or null}, units of the base currency, everything else as it was';
`;

const STATES = `
  create table counterparty_state (
    counterparty text not null check (length(counterparty) <= 64),
    imported boolean not null,
    state jsonb not null default '{}',
    primary key (counterparty, imported)
  );
  comment on table counterparty_state is 'folds over the payments to a counterparty, of all accounts; imported data is kept apart';

  create table fraud_run (
    counterparty text not null check (length(counterparty) <= 64),
    first_day integer not null,
    frauds integer not null,
    days double precision not null,
    seen_on integer not null,
    primary key (counterparty, first_day)
  );
  create index fraud_run_seen on fraud_run (seen_on);
  comment on table fraud_run is 'runs of confirmed frauds at a counterparty that are known to be over; days since 1970 UTC';

  create table risk_population (
    day integer primary key,
    state jsonb not null,
    made_at timestamptz not null default clock_timestamp()
  );
  comment on table risk_population is 'what is usual over all accounts, one row a UTC day; decisions read the newest';

  create table fraud_mark (
    transaction_id uuid primary key references transaction,
    is_fraud boolean not null,
    explained boolean not null,
    known_at timestamptz not null
  );
  comment on table fraud_mark is 'how a label has been folded into the states, so that a correction takes back what was counted';
`;
