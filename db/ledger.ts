import { isHouseAccount, type Movement, movementsOf, outgoing, type SettlementTerms } from '../domain/ledger.ts';
import { MAX_INT64 } from '../domain/money.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';

/**
 * Opens the trading account of a user, one each; the existing one where there is one.
 * @param imported accounts of replayed data, apart from those of people
 * @returns the account's id
 */
export async function ensureAccount(
  tx: Tx,
  account: { id: string; userId: string; imported?: boolean },
): Promise<string> {
  await run(
    tx,
    `with opened as (
       insert into account (id, user_id, kind, name, imported) values ($1, $2, 'customer', 'trading', $3)
       on conflict (user_id) do nothing returning id)
     insert into account_state (account_id) select id from opened`,
    [account.id, account.userId, account.imported ?? false],
  );
  return (await oneRow<{ id: string }>(tx, 'select id from account where user_id = $1', [account.userId])).id;
}

/** The trading account of a user, if they have one yet. */
export function findAccount(tx: Tx, userId: string): Promise<{ id: string; imported: boolean } | undefined> {
  return row(tx, 'select id, imported from account where user_id = $1', [userId]);
}

/**
 * Locks the accounts' state rows in the order of their ids, so that transfers from A to B and from B to A cannot block
 * each other. A statement of its own: what the next statement reads (READ COMMITTED) is what the lock protects.
 */
export async function lockAccounts(tx: Tx, accountIds: readonly string[]): Promise<void> {
  await run(
    tx,
    'select account_id from account_state where account_id = any($1::uuid[]) order by account_id for update',
    [accountIds],
  );
}

/** Why a settlement is impossible now, or null; the transaction's own reservation counts as there. Accounts are locked. */
export async function settlementRefusal(
  tx: Tx,
  transactionId: string,
  terms: SettlementTerms,
): Promise<'insufficient_funds' | 'amount_too_large' | null> {
  const given = outgoing(terms);
  const received = movementsOf(terms).find((movement) => !isHouseAccount(movement.to));
  const { available, balance } = await oneRow<{ available: string | null; balance: string | null }>(
    tx,
    `select (select balance - reserved from account_balance where account_id = $1 and asset = $2)
            + coalesce((select amount from reservation where transaction_id = $5 and released_at is null), 0) as available,
            (select balance from account_balance where account_id = $3 and asset = $4) as balance`,
    [terms.accountId, given?.asset ?? null, received?.to ?? null, received?.asset ?? null, transactionId],
  );
  if (given !== null && BigInt(available ?? 0) < given.amount) return 'insufficient_funds';
  if (received !== undefined && BigInt(balance ?? 0) > MAX_INT64 - received.amount) return 'amount_too_large';
  return null;
}

/**
 * Sets funds aside while a transaction is undecided: they stay the customer's and cannot be spent twice.
 * @throws Error when they are not there, which the caller has asked before under the account's lock
 */
export async function reserve(tx: Tx, transactionId: string, terms: SettlementTerms): Promise<void> {
  const given = outgoing(terms);
  if (given === null) return;
  const reserved = await run(
    tx,
    `with funds as (
       update account_balance set reserved = reserved + $4
        where account_id = $2 and asset = $3 and balance - reserved >= $4 returning account_id)
     insert into reservation (transaction_id, hold, account_id, asset, amount)
     select $1::uuid, 1 + coalesce((select max(hold) from reservation where transaction_id = $1::uuid), 0), account_id, $3, $4
       from funds`,
    [transactionId, terms.accountId, given.asset, given.amount],
  );
  if (reserved !== 1) throw new Error(`funds of transaction ${transactionId} vanished under the account's lock`);
}

/** Ends the reservation, if one is open: `consumed` when the transaction settles, released when it does not. */
export async function endReservation(tx: Tx, transactionId: string, outcome: 'consumed' | 'released'): Promise<void> {
  await run(
    tx,
    `with ended as (
       update reservation set released_at = clock_timestamp(), consumed = $2
        where transaction_id = $1 and released_at is null returning account_id, asset, amount)
     update account_balance b set reserved = b.reserved - ended.amount
       from ended where b.account_id = ended.account_id and b.asset = ended.asset`,
    [transactionId, outcome === 'consumed'],
  );
}

/**
 * Posts what settles a transaction: one row a movement, both sides in it, and the customers' balances with it. Exactly
 * once: a leg that is posted already moves nothing again.
 * @throws Error when a balance would go below zero, which the caller has asked before under the account's lock
 */
export async function postSettlement(tx: Tx, transactionId: string, terms: SettlementTerms): Promise<void> {
  for (const movement of movementsOf(terms)) await post(tx, transactionId, movement);
}

async function post(tx: Tx, transactionId: string, movement: Movement): Promise<void> {
  const { posted, debited } = await oneRow<{ posted: boolean; debited: boolean }>(
    tx,
    `with entry as (
       insert into posting (transaction_id, leg, asset, debit_account_id, credit_account_id, amount)
       values ($1, $2, $3, $4, $5, $6) on conflict (transaction_id, leg) do nothing returning id),
     debit as (
       update account_balance set balance = balance - $6
        where account_id = $4 and asset = $3 and balance - reserved >= $6 and exists (select from entry) returning asset),
     credit as (
       insert into account_balance (account_id, asset, balance)
       select a.id, $3, $6 from account a where a.id = $5 and a.kind = 'customer' and exists (select from entry)
       on conflict (account_id, asset) do update set balance = account_balance.balance + excluded.balance
       returning asset)
     select exists (select from entry) as posted, exists (select from debit) as debited, (select count(*) from credit)`,
    [transactionId, movement.leg, movement.asset, movement.from, movement.to, movement.amount],
  );
  if (posted && !debited && !isHouseAccount(movement.from)) {
    throw new Error(`funds of transaction ${transactionId} vanished under the account's lock`);
  }
}

export interface AssetBalance {
  asset: string;
  /** Minor units, or millionths of an instrument. */
  balance: bigint;
  reserved: bigint;
}

/** What an account holds, without the assets it holds nothing of. */
export async function balancesOf(tx: Tx, accountId: string): Promise<AssetBalance[]> {
  const found = await rows<{ asset: string; balance: string; reserved: string }>(
    tx,
    'select asset, balance, reserved from account_balance where account_id = $1 and balance > 0 order by asset',
    [accountId],
  );
  return found.map(({ asset, balance, reserved }) => ({
    asset,
    balance: BigInt(balance),
    reserved: BigInt(reserved),
  }));
}

/** A place where the books do not agree with themselves; amounts as decimal digits. */
export interface LedgerFault {
  kind: 'balance_differs_from_postings' | 'reserved_differs_from_reservations' | 'assets_do_not_sum_to_zero';
  accountId: string | null;
  asset: string;
  expected: string;
  found: string;
}

/**
 * Holds the books against themselves, in one snapshot: every customer's balance equals the sum of their postings, what is
 * reserved equals the open reservations, and each asset sums to zero over all accounts. Empty when all is well.
 */
export async function checkLedger(tx: Tx): Promise<LedgerFault[]> {
  return rows<LedgerFault>(
    tx,
    `with posted as (
       select l.account_id, l.asset, l.balance from ledger_balance l join account a on a.id = l.account_id
        where a.kind = 'customer'),
     open as (
       select account_id, asset, sum(amount) as amount from reservation where released_at is null group by 1, 2)
     select 'balance_differs_from_postings' as kind, account_id as "accountId", asset,
            coalesce(p.balance, 0)::text as expected, coalesce(b.balance, 0)::text as found
       from posted p full join account_balance b using (account_id, asset)
      where coalesce(p.balance, 0) <> coalesce(b.balance, 0)
     union all
     select 'reserved_differs_from_reservations', account_id, asset,
            coalesce(o.amount, 0)::text, coalesce(b.reserved, 0)::text
       from open o full join account_balance b using (account_id, asset)
      where coalesce(o.amount, 0) <> coalesce(b.reserved, 0)
     union all
     select 'assets_do_not_sum_to_zero', null, asset, '0', sum(balance)::text
       from ledger_balance group by asset having sum(balance) <> 0`,
  );
}

/** True once the movements of a transaction are posted. */
export async function isPosted(tx: Tx, transactionId: string): Promise<boolean> {
  return (await row(tx, 'select 1 from posting where transaction_id = $1 limit 1', [transactionId])) !== undefined;
}
