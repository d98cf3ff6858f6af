import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Instance } from '../helpers/instance.ts';
import { createMailbox } from '../helpers/mailbox.ts';

/** What is looked at from outside, whatever the processes say of themselves. */
export interface Premises {
  sql<T extends pg.QueryResultRow>(text: string, params?: unknown[]): Promise<T[]>;
  /** `tradeguard audit verify`. */
  verifyAudit(): Promise<{ code: number; output: string }>;
  mailDir: string;
}

export const premisesOf = (instance: Instance): Premises => ({
  sql: instance.sql,
  verifyAudit: () => instance.cli('audit', 'verify'),
  mailDir: join(instance.dataDir, 'mail'),
});

/** A claim on a letter outlives the process that made it by a minute. */
const PATIENCE_MS = 180_000;

/**
 * What has to hold however often anything was killed: every transaction ends, none moves money twice, the ledger
 * balances, reserved money is that of open holds, the audit chain verifies and no letter is lost.
 *
 * @returns what does not hold
 */
export async function faultsAfterwards(premises: Premises): Promise<string[]> {
  const { sql, verifyAudit, mailDir } = premises;
  const faults: string[] = [];
  const expectNothing = async (what: string, query: string): Promise<void> => {
    const found = await sql(query);
    if (found.length > 0) faults.push(`${found.length} ${what}: ${JSON.stringify(found.slice(0, 3))}`);
  };

  await untilNone(() => sql('select 1 from transaction where finished_at is null limit 1'));
  await untilNone(() => sql('select 1 from outbox_mail where sent_at is null limit 1'));
  await expectNothing('without an end', 'select id, status, created_at from transaction where finished_at is null');
  await expectNothing(
    'settled not exactly once, or moved money without',
    `select id, status, movements, traces from (
       select t.id, t.status,
              (select count(*)::int from posting p where p.transaction_id = t.id) as movements,
              (select count(*)::int from audit_entry a
                where a.subject = t.id::text and a.action = 'transaction.settled') as traces
         from transaction t) counted
      where movements <> (status = 'settled')::int or traces <> (status = 'settled')::int`,
  );
  await expectNothing(
    'balances that are not the sum of their postings',
    `select b.account_id, b.asset, b.balance, l.balance as ledger
       from account_balance b left join ledger_balance l using (account_id, asset)
      where b.balance <> coalesce(l.balance, 0) or b.balance < 0`,
  );
  await expectNothing(
    'assets whose ledger does not add up to zero',
    'select asset, sum(balance)::text as total from ledger_balance group by asset having sum(balance) <> 0',
  );
  await expectNothing(
    'reserved without a hold, or held without a reservation',
    `select b.account_id, b.reserved, coalesce(sum(r.amount), 0) as open
       from account_balance b
       left join reservation r on r.account_id = b.account_id and r.asset = b.asset and r.released_at is null
      group by b.account_id, b.asset, b.reserved having b.reserved <> coalesce(sum(r.amount), 0)`,
  );
  await expectNothing(
    'holds whose owner was not told of both',
    `select t.id from transaction t
      where t.review_by is not null
        and (select count(*) from outbox_mail m
              where m.key in ('transaction:' || t.id || ':transaction.held', 'transaction:' || t.id || ':transaction.decided')) <> 2`,
  );
  // An alert about what was just done may come at any time: its letter is on its way for a moment.
  faults.push(...(await untilNone(() => lostLetters(sql, mailDir))));
  const verified = await verifyAudit();
  if (verified.code !== 0) faults.push(`the audit chain: ${verified.output}`);
  return faults;
}

/** A letter that says it was sent lies in the folder once, however often it was tried. */
async function lostLetters(sql: Premises['sql'], mailDir: string): Promise<string[]> {
  const written = new Map<string, number>();
  for (const { to } of createMailbox(mailDir).all()) written.set(to, (written.get(to) ?? 0) + 1);
  const letters = await sql<{ recipient: string; sent: number; unsent: number }>(
    `select recipient, count(sent_at)::int as sent, (count(*) - count(sent_at))::int as unsent
       from outbox_mail group by recipient`,
  );
  return letters
    .filter(({ recipient, sent, unsent }) => unsent > 0 || written.get(recipient) !== sent)
    .map(({ recipient, sent, unsent }) => {
      const files = written.get(recipient) ?? 0;
      return `letters to ${recipient}: ${sent} sent, ${unsent} not, ${files} in the folder`;
    });
}

/** @returns what there is still when the patience has ended */
async function untilNone<T>(look: () => Promise<T[]>): Promise<T[]> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(500)) {
    const found = await look();
    if (found.length === 0 || Date.now() >= deadline) return found;
  }
}
