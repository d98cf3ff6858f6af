import { Migration } from '@mikro-orm/migrations';

/** Payments of deposits at a payment provider, and the events that told of them. */
export class Payments extends Migration {
  override name = '0014-payments';

  override up(): void {
    this.addSql(`
      create table payment (
        transaction_id uuid primary key references transaction,
        payment_id text not null unique check (length(payment_id) <= 255),
        state text not null check (state in ('open', 'processing', 'succeeded', 'canceled')),
        created_at timestamptz not null default clock_timestamp(),
        changed_at timestamptz not null default clock_timestamp()
      );
      comment on table payment is
        'what a payer needs to pay is asked of the provider when the owner asks for it, and is stored nowhere';

      create table payment_event (
        id text primary key check (length(id) <= 255),
        type text not null check (length(type) <= 255),
        payment_id text,
        transaction_id uuid references transaction,
        received_at timestamptz not null default clock_timestamp()
      );
      comment on table payment_event is 'a webhook is answered once its event is here; a repeat finds it and changes nothing';
    `);
  }
}
