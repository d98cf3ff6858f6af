import { Migration } from '@mikro-orm/migrations';

/** Counters of the rate limiter, and what the API's front door refused, for the security dashboard. */
export class Limits extends Migration {
  override name = '0008-limits';

  override up(): void {
    this.addSql(`
      create unlogged table rate_limit (
        key text primary key,
        points integer not null default 0,
        expire bigint
      );
      create index rate_limit_expire on rate_limit (expire);
      comment on table rate_limit is 'unlogged: a crash of the server forgets one minute of counting, and nothing else';

      create table front_door_event (
        kind text not null check (kind in ('rate_limited', 'session_invalid', 'signature_invalid')),
        bucket text not null,
        window_start timestamptz not null,
        route text not null,
        network text,
        user_id uuid,
        cause text not null,
        refusals integer not null default 1,
        first_at timestamptz not null default clock_timestamp(),
        last_at timestamptz not null default clock_timestamp(),
        primary key (kind, bucket, window_start)
      );
      create index front_door_event_time on front_door_event (last_at desc);
      comment on table front_door_event is
        'one row per kind, bucket and minute, however many refusals: an attack costs the database a bounded number of rows';
    `);
  }
}
