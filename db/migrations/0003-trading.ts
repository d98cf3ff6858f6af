import { Migration } from '@mikro-orm/migrations';

/** Accounts, the double-entry ledger, prices, transactions and their reviews. Amounts are integer minor units. */
export class Trading extends Migration {
  override name = '0003-trading';

  override up(): void {
    this.addSql(`
      create table account (
        id uuid primary key,
        user_id uuid unique references app_user,
        kind text not null check (kind in ('customer', 'house')),
        name text not null,
        imported boolean not null default false,
        created_at timestamptz not null default clock_timestamp(),
        check ((kind = 'customer') = (user_id is not null))
      );
      insert into account (id, kind, name) values
        ('00000000-0000-8000-8000-000000000001', 'house', 'bank'),
        ('00000000-0000-8000-8000-000000000002', 'house', 'market');

      create table account_state (
        account_id uuid primary key references account,
        last_t timestamptz,
        features jsonb not null default '{}'
      );
      comment on table account_state is 'the row every decision about an account locks: the features are folds over its history';

      create table account_balance (
        account_id uuid not null references account,
        asset text not null,
        balance bigint not null default 0,
        reserved bigint not null default 0,
        primary key (account_id, asset),
        check (balance >= 0),
        check (reserved >= 0 and reserved <= balance)
      );
      comment on table account_balance is 'customers only: house accounts would be one row that every settlement fights for';

      create table instrument (
        id text primary key check (id ~ '^[A-Z0-9.]{1,12}$'),
        name text not null,
        currency text not null,
        active boolean not null default true
      );
      create table instrument_price (
        instrument_id text not null references instrument,
        at timestamptz not null,
        price bigint not null check (price > 0),
        source text not null,
        primary key (instrument_id, at)
      );
      comment on column instrument_price.price is 'currency units x 10^4';

      create table transaction (
        id uuid primary key,
        user_id uuid not null references app_user,
        account_id uuid not null references account,
        type text not null check (type in ('buy', 'sell', 'deposit', 'withdrawal', 'transfer')),
        instrument_id text check (length(instrument_id) <= 12),
        quantity bigint check (quantity > 0),
        price_limit bigint check (price_limit > 0),
        price bigint check (price > 0),
        amount bigint check (amount > 0),
        currency text not null,
        category text not null check (category ~ '^[a-z0-9_]{1,40}$'),
        counterparty text check (length(counterparty) <= 64),
        counterparty_account_id uuid references account,
        body_hash bytea not null,
        status text not null check (status in ('step_up_required', 'quarantined', 'payment_required', 'settled', 'rejected')),
        code text,
        score integer not null check (score between 0 and 100),
        rule_set_version text not null,
        reasons jsonb not null,
        features jsonb not null,
        hold_after_step_up boolean not null default false,
        methods jsonb not null default '[]',
        first_status integer not null,
        first_body json not null,
        t timestamptz not null,
        created_at timestamptz not null default clock_timestamp(),
        step_up_expires_at timestamptz,
        held_at timestamptz,
        review_by timestamptz,
        payment_expires_at timestamptz,
        required_approvals integer not null default 1,
        cancel_requested_at timestamptz,
        finished_at timestamptz,
        device_id uuid,
        session_id uuid,
        ip inet,
        user_agent text,
        request_id text,
        settings jsonb not null,
        virtual jsonb,
        check ((status in ('settled', 'rejected')) = (finished_at is not null)),
        check ((status = 'rejected') = (code is not null)),
        check (status = 'rejected' or amount is not null)
      );
      create index transaction_account on transaction (account_id, t desc);
      create index transaction_user on transaction (user_id, created_at desc, id desc);
      create index transaction_time on transaction (created_at desc, id desc);
      create index transaction_open on transaction (created_at) where finished_at is null;
      create index transaction_held on transaction (review_by) where status = 'quarantined';
      comment on column transaction.instrument_id is
        'no foreign key: a rejected order is kept even when it names an instrument that does not exist';
      comment on column transaction.first_body is
        'the answer of the first call, given again under the same Idempotency-Key; json keeps it to the letter';

      create table reservation (
        transaction_id uuid primary key references transaction,
        account_id uuid not null references account,
        asset text not null,
        amount bigint not null check (amount > 0),
        created_at timestamptz not null default clock_timestamp(),
        released_at timestamptz,
        consumed boolean
      );
      create index reservation_open on reservation (account_id) where released_at is null;

      create table posting (
        id bigint generated always as identity primary key,
        transaction_id uuid not null,
        leg text not null check (leg in ('cash', 'position')),
        asset text not null,
        debit_account_id uuid not null references account,
        credit_account_id uuid not null references account,
        amount bigint not null,
        posted_at timestamptz not null default clock_timestamp(),
        unique (transaction_id, leg),
        constraint posting_balanced check (amount > 0 and debit_account_id <> credit_account_id)
      );
      create index posting_debit on posting (debit_account_id, asset);
      create index posting_credit on posting (credit_account_id, asset);
      comment on table posting is
        'double entry: one row is both sides of one movement (out of the debit account, into the credit account), so no row can be unbalanced';

      create view ledger_balance as
        select account_id, asset, sum(amount) as balance from (
          select credit_account_id as account_id, asset, amount from posting
          union all
          select debit_account_id, asset, -amount from posting) as movement
        group by account_id, asset;

      create table review_verdict (
        id uuid primary key,
        transaction_id uuid not null references transaction,
        reviewer_id uuid not null references app_user,
        verdict text not null check (verdict in ('approve', 'reject')),
        reason text not null check (length(reason) between 1 and 1000),
        source text not null check (source in ('api', 'signal')),
        recorded_at timestamptz not null default clock_timestamp(),
        unique (transaction_id, reviewer_id, verdict)
      );
    `);
  }
}
