import { Migration } from '@mikro-orm/migrations';

/** Uses a nonce up in one statement where the request is good, which is nearly always. */
export class NonceSpend extends Migration {
  override name = '0019-nonce-spend';

  override up(): void {
    this.addSql(SPEND);
  }
}

/**
 * As in 0007, and in one statement: the look-up of the key, the search in all live partitions and the insert. Only when
 * that inserts nothing is it asked why. The order stays: wait for the maintenance and for the pair's lock first, then read.
 */
const SPEND = `
  create or replace function request_nonce_spend(p_key uuid, p_user uuid, p_nonce uuid, p_timestamp bigint)
    returns table (outcome text, server_time bigint) language plpgsql as $$
  declare
    k signing_key%rowtype;
    t timestamptz;
    oldest timestamptz;
    signed constant timestamptz := to_timestamp(p_timestamp);
    signing_window constant interval := '300 seconds';
  begin
    lock table request_nonce in row exclusive mode;
    perform pg_advisory_xact_lock(hashtextextended('tradeguard.nonce:' || p_key || p_nonce, 0));
    t := clock_timestamp();
    server_time := floor(date_part('epoch', t));
    oldest := to_timestamp((server_time - 360) / 600 * 600);
    insert into request_nonce (key_id, nonce, signed_at)
      select p_key, p_nonce, signed from signing_key s
       where s.id = p_key and s.user_id = p_user and s.status <> 'revoked'
         and (s.accepted_until is null or s.accepted_until > t)
         and signed between t - signing_window and t + signing_window
         and not exists (select from request_nonce n where n.key_id = p_key and n.nonce = p_nonce
           and n.signed_at >= oldest and n.signed_at <= t + signing_window);
    if found then
      outcome := 'fresh';
      return next;
      return;
    end if;
    select * into k from signing_key s where s.id = p_key;
    outcome := case
      when k.id is null then 'key_unknown'
      when k.user_id <> p_user then 'key_of_another_user'
      when k.status = 'revoked' or k.accepted_until <= t then 'key_revoked'
      when signed < t - signing_window then 'timestamp_old'
      when signed > t + signing_window then 'timestamp_future'
      else 'nonce_replayed' end;
    return next;
  end $$;
`;
