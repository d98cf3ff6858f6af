import { Migration } from '@mikro-orm/migrations';

/** Other currencies than the base, at dated rates, and what customers may move by tier. */
export class Money extends Migration {
  override name = '0015-money';

  override up(): void {
    this.addSql(`
      create table exchange_rate (
        base_currency text not null check (base_currency ~ '^[A-Z]{3}$'),
        quote_currency text not null check (quote_currency ~ '^[A-Z]{3}$'),
        at timestamptz not null,
        rate bigint not null check (rate > 0),
        source text not null,
        primary key (base_currency, quote_currency, at),
        check (base_currency <> quote_currency)
      );
      comment on column exchange_rate.rate is 'units of the base currency for one unit of the other, x 10^10';

      alter table transaction
        add column base_amount bigint check (base_amount >= 0),
        add column rate bigint check (rate > 0),
        add column rate_at timestamptz,
        add column limit_hit jsonb,
        add check ((rate is null) = (rate_at is null));
      comment on column transaction.base_amount is
        'minor units of the base currency, at the rate of the decision and then of the settlement; null while no rate is known';
      comment on column transaction.limit_hit is 'which limit refused it, and what was left of it';
      update transaction set base_amount = amount where code is distinct from 'currency_unsupported';

      alter table account_state add column limit_usage jsonb not null default '{}';
      comment on column account_state.limit_usage is 'what was moved lately in the base currency, by group, hour and day';

      alter table app_user add column tier text not null default 'standard'
        check (tier in ('basic', 'standard', 'premium'));
      comment on column app_user.tier is 'which limits hold for what the person moves';
    `);
  }
}
