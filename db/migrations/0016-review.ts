import { Migration } from '@mikro-orm/migrations';

/** Reviews: claims, notes, labels, appeals with their second hold, and step-ups that are bound to their transaction. */
export class Review extends Migration {
  override name = '0016-review';

  override up(): void {
    this.addSql(HOLDS);
    this.addSql(CASES);
    this.addSql(STEP_UPS);
    this.addSql(TALLY);
    this.addSql(INDEXES);
  }
}

/** A transaction is held once, and once more on appeal. What belongs to one hold carries its number. */
const HOLDS = `
  alter table transaction add column hold integer not null default 1 check (hold in (1, 2));
  comment on column transaction.hold is '1, and 2 once its owner has appealed';

  alter table review_verdict add column hold integer not null default 1;
  alter table review_verdict drop constraint review_verdict_transaction_id_reviewer_id_verdict_key;
  alter table review_verdict add unique (transaction_id, hold, reviewer_id, verdict);

  alter table reservation add column hold integer not null default 1;
  alter table reservation drop constraint reservation_pkey;
  alter table reservation add primary key (transaction_id, hold);
  create unique index reservation_one_open on reservation (transaction_id) where released_at is null;

  create table transaction_appeal (
    transaction_id uuid primary key references transaction,
    appealed_by uuid not null references app_user,
    reason text not null check (length(reason) between 1 and 1000),
    rejected_code text not null check (rejected_code in ('review_rejected', 'review_expired')),
    rejected_at timestamptz not null,
    appealed_at timestamptz not null default clock_timestamp()
  );
  comment on table transaction_appeal is 'once ever: the primary key says so';
`;

const CASES = `
  create table review_claim (
    transaction_id uuid primary key references transaction,
    reviewer_id uuid not null references app_user,
    claimed_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    assigned_by uuid references app_user
  );
  create index review_claim_reviewer on review_claim (reviewer_id);
  comment on table review_claim is 'who looks at a held transaction; a row that has expired is no claim';

  create table review_note (
    id uuid primary key,
    transaction_id uuid not null references transaction,
    author_id uuid not null references app_user,
    text text not null check (length(text) between 1 and 4000),
    at timestamptz not null default clock_timestamp()
  );
  create index review_note_transaction on review_note (transaction_id, at, id);

  create table transaction_label (
    id bigint generated always as identity primary key,
    transaction_id uuid not null references transaction,
    label text not null check (label in ('confirmed_fraud', 'false_positive', 'inconclusive')),
    source text not null check (source in ('review', 'customer', 'chargeback', 'import', 'staff')),
    known_at timestamptz not null default clock_timestamp(),
    labelled_by uuid references app_user,
    reason text not null check (length(reason) between 1 and 1000)
  );
  create index transaction_label_latest on transaction_label (transaction_id, id desc);
  comment on table transaction_label is 'the latest row of a transaction is its label; corrections are rows, too';
`;

/** What was shown when a factor was asked for, and what each answer to it was given for. */
const STEP_UPS = `
  alter table transaction add column challenge_hash bytea check (length(challenge_hash) = 32);
  alter table factor_attempt add column challenge_hash bytea check (length(challenge_hash) = 32);
  comment on column transaction.challenge_hash is
    'SHA-256 of the terms that its owner confirms; null where no factor was asked for';
`;

/** An appealed transaction is not rejected any more, and is held without a step-up before it. */
const TALLY = `
  create or replace function transaction_tally_ended() returns trigger language plpgsql as $$
  begin
    perform transaction_tally_add(w.window_start, w.counts) from (
      select window_start, jsonb_object_agg(measure, n) as counts from (
        select date_bin('10 minutes', coalesce(n.finished_at, clock_timestamp()), 'epoch'::timestamptz) as window_start,
               m.measure, sum(m.n) as n
          from new_rows n join old_rows o on o.id = n.id and o.status <> n.status cross join lateral (
            select 'ended:' || n.status, 1::numeric where n.finished_at is not null
            union all select 'held:after_step_up', 1 where n.status = 'quarantined' and o.status <> 'rejected'
            union all select 'held:after_appeal', 1 where n.status = 'quarantined' and o.status = 'rejected'
            union all select 'ended:rejected', -1 where o.status = 'rejected'
            union all select 'rejected:' || o.code, -1 where o.status = 'rejected'
            union all select 'rejected:' || n.code, 1 where n.status = 'rejected'
            union all select 'settled:' || n.currency, n.amount where n.status = 'settled'
          ) as m (measure, n)
         group by 1, 2) as measured group by window_start
    ) as w;
    return null;
  end $$;
`;

/** One for each order of the queue, over what is held and over what was decided; each ends with the id, as its pages do. */
const INDEXES = `
  create index incident_subject on incident (subject_kind, subject_id);
  drop index transaction_held;
  create index transaction_held on transaction (review_by, id) where status = 'quarantined';
  create index transaction_held_score on transaction (score desc, id desc) where status = 'quarantined';
  create index transaction_held_amount on transaction (coalesce(base_amount, 9223372036854775807) desc, id desc) where status = 'quarantined';
  create index transaction_reviewed on transaction (review_by desc, id desc)
    where held_at is not null and status <> 'quarantined';
  create index transaction_reviewed_score on transaction (score desc, id desc)
    where held_at is not null and status <> 'quarantined';
  create index transaction_reviewed_amount on transaction (coalesce(base_amount, 9223372036854775807) desc, id desc)
    where held_at is not null and status <> 'quarantined';
`;
