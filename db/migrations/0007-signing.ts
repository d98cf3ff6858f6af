import { Migration } from '@mikro-orm/migrations';

/** Request-signing keys, and the nonces that were used with them. */
export class Signing extends Migration {
  override name = '0007-signing';

  override up(): void {
    this.addSql(TABLES);
    this.addSql(SPEND);
    this.addSql(MAINTAIN);
    this.addSql('select request_nonce_maintain();');
  }
}

const TABLES = `
  create table signing_key (
    id uuid primary key,
    user_id uuid not null references app_user,
    secret text not null,
    status text not null check (status in ('active', 'rotating', 'revoked')),
    replaces uuid unique references signing_key,
    accepted_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    revoked_reason text,
    check ((status = 'rotating') <= (accepted_until is not null)),
    check ((status = 'revoked') = (revoked_at is not null))
  );
  create index signing_key_by_user on signing_key (user_id, created_at desc, id desc);
  comment on column signing_key.secret is 'field token (AES-256-GCM), never plain';
  comment on column signing_key.replaces is 'the key that this one took over from: a key is rotated once';
  comment on column signing_key.accepted_until is 'while rotating the old secret works beside the new one, until then';

  create table request_nonce (
    key_id uuid not null,
    nonce uuid not null,
    signed_at timestamptz not null,
    primary key (key_id, nonce, signed_at)
  ) partition by range (signed_at);
  create table request_nonce_rest partition of request_nonce default;
  comment on table request_nonce is
    'partitioned by the signed time, ten minutes each, dropped when nothing in them could pass any more';
  comment on table request_nonce_rest is
    'takes what has no partition: requests go on when maintenance is late, and an incident says that it is';
`;

/**
 * Uses a nonce up. Key, time and nonce are judged by the database's clock in the transaction that stores the nonce, so no
 * answer is older than what it is about. The unique key holds the partition column, hence a nonce with another time would
 * not collide: that is what the look-up in all live partitions is for (its bounds are theirs, so that the empty ones ahead
 * are not opened), and the lock on the pair lets one caller do it at a time.
 */
const SPEND = `
  create function request_nonce_spend(p_key uuid, p_user uuid, p_nonce uuid, p_timestamp bigint)
    returns table (outcome text, server_time bigint) language plpgsql as $$
  declare
    k signing_key%rowtype;
    t timestamptz;
    signed constant timestamptz := to_timestamp(p_timestamp);
    signing_window constant interval := '300 seconds';
  begin
    -- A statement that waited for the maintenance would read with a snapshot from before it: wait first, then read.
    lock table request_nonce in row exclusive mode;
    perform pg_advisory_xact_lock(hashtextextended('tradeguard.nonce:' || p_key || p_nonce, 0));
    select * into k from signing_key s where s.id = p_key;
    t := clock_timestamp();
    server_time := floor(extract(epoch from t));
    outcome := case
      when k.id is null then 'key_unknown'
      when k.user_id <> p_user then 'key_of_another_user'
      when k.status = 'revoked' or k.accepted_until <= t then 'key_revoked'
      when signed < t - signing_window then 'timestamp_old'
      when signed > t + signing_window then 'timestamp_future'
      when exists (select from request_nonce n where n.key_id = p_key and n.nonce = p_nonce
        and n.signed_at >= to_timestamp(floor((extract(epoch from t) - 360) / 600) * 600)
        and n.signed_at <= t + signing_window) then 'nonce_replayed'
      else 'fresh' end;
    if outcome = 'fresh' then
      insert into request_nonce (key_id, nonce, signed_at) values (p_key, p_nonce, signed);
    end if;
    return next;
  end $$;
`;

/**
 * Keeps partitions from the oldest time that still passes to three ahead of now, and drops the others 360 s after their
 * upper bound: a minute more than a signature lives, so that no clock that is a little off can replay one. It takes no
 * parameters: the application's role, which may run it, could otherwise have live nonces dropped.
 *
 * While it waits for its lock every signed request waits behind it, and a backup holds a lock on every table for as long as
 * it dumps: so it gives up soon and comes again. Three partitions ahead are half an hour of patience.
 */
const MAINTAIN = `
  create function request_nonce_maintain() returns table (created integer, dropped integer, strays bigint)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '250ms' as $$
  declare
    t double precision;
    width constant integer := 600;
    oldest bigint;
    newest bigint;
    slot bigint;
    part text;
  begin
    lock table public.request_nonce in access exclusive mode;
    t := extract(epoch from clock_timestamp());
    oldest := floor((t - 360) / width);
    newest := floor(t / width) + 3;
    created := 0;
    dropped := 0;
    for part in
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'public.request_nonce'::regclass and c.relname ~ '^request_nonce_[0-9]+$'
         and substring(c.relname from '[0-9]+$')::bigint < oldest
    loop
      execute format('drop table public.%I', part);
      dropped := dropped + 1;
    end loop;

    select count(*) into strays from public.request_nonce_rest;
    for slot in select generate_series(oldest, newest) loop
      part := 'request_nonce_' || slot;
      continue when to_regclass('public.' || part) is not null;
      execute format('create table public.%I (like public.request_nonce including all)', part);
      -- No partition may be attached while rows that belong into it lie in the default one.
      execute format('with moved as (delete from public.request_nonce_rest
          where signed_at >= to_timestamp(%1$s) and signed_at < to_timestamp(%2$s) returning *)
        insert into public.%3$I select * from moved', slot * width, (slot + 1) * width, part);
      execute format('alter table public.request_nonce attach partition public.%I for values from (%L) to (%L)',
        part, to_timestamp(slot * width), to_timestamp((slot + 1) * width));
      created := created + 1;
    end loop;
    -- Signed times lie at most 300 s ahead, so what is left in it has run out.
    if strays > 0 then truncate public.request_nonce_rest; end if;
    return next;
  end $$;
`;
