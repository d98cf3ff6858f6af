import { setTimeout } from 'node:timers/promises';
import type { ImportActor } from '../db/import.ts';
import type { ApiAnswer } from './api-client.ts';
import { type ReplayFile, type ReplayRow, readRows } from './replay-file.ts';
import type { ReplayInstance } from './replay-instance.ts';
import type { FirstVerdict, Journal, JournalEntry, RowEntry } from './replay-journal.ts';
import { createLanes } from './replay-lanes.ts';
import type { Tally } from './replay-tally.ts';
import type { RequestSigner } from './request-signer.ts';

const HOLD_MS = 24 * 3_600_000;
/** So much that no recorded account runs dry, and little enough that a sum of thousands fits 64 bits of cents. */
const FUNDING = '1000000000.00';
const POLL_MS = 100;
const GIVE_UP_AFTER_MS = 10 * 60_000;
const OUTAGE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

export interface DriverOptions {
  readonly instance: ReplayInstance;
  readonly file: ReplayFile;
  /** Rows from the beginning of the file; the rest is left out. */
  readonly limit: number;
  readonly concurrency: number;
  readonly journal: Journal;
  readonly tally: Tally;
  readonly importer: ImportActor;
  /** Signs as the importer. */
  readonly sign: RequestSigner;
  /** As many as the installation asks approvals for. */
  readonly reviewers: readonly ImportActor[];
  /** Stops between two rows: what is under way is finished. */
  readonly signal: AbortSignal;
  readonly onRow: (row: ReplayRow) => void;
}

/** A held transaction that waits for its verdict. */
interface Hold {
  readonly entry: RowEntry;
  /** Virtual time, Unix milliseconds. */
  readonly due: number;
  decided: boolean;
}

/**
 * Sends the rows of a file in time order through the API, one lane an account (and its counterparty), and answers what the
 * decisions ask for as the labels say: label 0 passes a step-up and is approved, label 1 lets it expire and is rejected.
 *
 * @returns once the file's end was reached and every hold was decided, or the signal stopped it
 */
export async function driveReplay(options: DriverOptions): Promise<void> {
  const { instance, file, journal, tally, signal } = options;
  const { api, imports } = instance;
  const lanes = createLanes(options.concurrency);
  const accounts = new Map<string, Promise<{ userId: string; accountId: string }>>();
  const holds: Hold[] = [];

  function record(entry: JournalEntry): void {
    journal.append(entry);
    tally.add(entry);
  }

  /** Sends until there is an answer; the key makes a repeat harmless. */
  async function persistently(call: () => Promise<ApiAnswer>): Promise<ApiAnswer & { ms: number }> {
    const began = performance.now();
    for (;;) {
      const sent = performance.now();
      let wait = 500;
      try {
        const answer = await call();
        const ms = performance.now() - sent;
        if (answer.status !== 503 && answer.status !== 429) return { ...answer, ms };
        wait = Math.min(Number(answer.headers['retry-after'] ?? 1), 60) * 1_000;
      } catch (error) {
        if (!OUTAGE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
      if (performance.now() - began > GIVE_UP_AFTER_MS) throw new Error('The API has not answered for 10 minutes.');
      await setTimeout(wait, undefined, { signal });
    }
  }

  function submit(
    owner: { userId: string },
    key: string,
    at: string,
    body: object,
    extra: Record<string, string> = {},
  ) {
    return persistently(() =>
      api.post('/api/transactions', {
        token: options.importer.token,
        sign: options.sign,
        headers: { 'idempotency-key': key, 'x-virtual-time': at, 'x-on-behalf-of': owner.userId, ...extra },
        body,
      }),
    );
  }

  /** Makes and funds an account when it is first met; the deposit leaves no trace in the features. */
  function accountOf(name: string, at: string): Promise<{ userId: string; accountId: string }> {
    const known = accounts.get(name) ?? openAccount(name, at);
    accounts.set(name, known);
    return known;
  }

  async function openAccount(name: string, at: string) {
    const account = await imports.ensureAccount(name);
    const body = { type: 'deposit', amount: FUNDING, currency: 'USD', category: 'funding' };
    const funded = await submit(account, 'replay-funding', at, body, { 'x-outside-features': '1' });
    // Under another file's time the same deposit has another body: it was made before, and once is enough.
    if (funded.status !== 201 && funded.body?.code !== 'idempotency_key_reused') refuse(funded, `funding of ${name}`);
    return account;
  }

  async function sendRow(row: ReplayRow): Promise<void> {
    for (const hold of holdsOf(row.account, row.at)) await decide(hold);
    const account = await accountOf(row.account, row.ts);
    const counterparty =
      row.type === 'transfer' ? (await accountOf(row.counterparty ?? '', row.ts)).accountId : row.counterparty;
    const answer = await submit(account, `${file.sha256.slice(0, 32)}:${row.txId}`, row.ts, {
      type: row.type,
      amount: row.amount,
      currency: row.currency,
      ...(row.category === undefined ? {} : { category: row.category }),
      ...(counterparty === undefined ? {} : { counterparty }),
    });
    const entry = entryOf(row, answer);
    record(entry);
    await settle(entry);
    options.onRow(row);
  }

  /** Brings a transaction that is not final to its end, or among the holds. */
  async function settle(entry: RowEntry): Promise<void> {
    const { transactionId, verdict } = entry;
    if (transactionId === undefined || verdict === 'settled' || verdict === 'rejected') return;
    if (verdict === 'step_up') await answerStepUp(entry, transactionId);
    else holds.push({ entry, due: entry.at + HOLD_MS, decided: false });
  }

  async function answerStepUp(entry: RowEntry, transactionId: string): Promise<void> {
    const before = await imports.stateOf(transactionId);
    if (before.status === 'step_up_required') {
      if (entry.label === 1) await instance.lapse(transactionId);
      else await instance.submitFactor(transactionId, await imports.attestFactor(transactionId));
    }
    const after = await waitWhile(transactionId, 'step_up_required');
    if (after.held) record({ kind: 'held', n: entry.n });
    if (after.status === 'quarantined') holds.push({ entry, due: entry.at + HOLD_MS, decided: false });
    else record(endOf(entry, after));
  }

  async function decide(hold: Hold): Promise<void> {
    if (hold.decided) return;
    hold.decided = true;
    const { entry } = hold;
    const transactionId = entry.transactionId ?? '';
    const isFraud = entry.label === 1;
    const path = `/api/admin/security/transactions/${transactionId}/${isFraud ? 'reject' : 'approve'}`;
    const label = isFraud ? 'confirmed_fraud' : 'false_positive';
    for (const { token } of options.reviewers) {
      const answer = await persistently(() =>
        api.post(path, { token, body: { reason: `Recorded label ${entry.label}`, label } }),
      );
      // 409: decided before, by an earlier run whose journal line was lost.
      if (answer.status === 200 || answer.status === 409) break;
      if (answer.status !== 202) refuse(answer, `review of row ${entry.n + 1}`);
    }
    record(endOf(entry, await waitWhile(transactionId, 'quarantined')));
  }

  async function waitWhile(transactionId: string, status: 'step_up_required' | 'quarantined') {
    for (;;) {
      const state = await imports.stateOf(transactionId);
      if (state.status !== status) return state;
      await setTimeout(POLL_MS, undefined, { signal });
    }
  }

  function holdsOf(account: string | undefined, before: number): Hold[] {
    return holds.filter(
      (hold) => !hold.decided && hold.due <= before && (account === undefined || hold.entry.account === account),
    );
  }

  /** Reviews whose 24 hours are over by virtual time `at`, each in its account's lane. */
  async function reviewUntil(at: number): Promise<void> {
    for (const hold of holdsOf(undefined, at)) {
      await lanes.add([`account ${hold.entry.account}`], () => decide(hold));
    }
    // Decided ones need no memory; those that wait for their lane are kept until they are.
    for (let index = holds.length - 1; index >= 0; index -= 1) if (holds[index]?.decided) holds.splice(index, 1);
  }

  for (const { row, held } of tally.unfinished()) {
    const entry: RowEntry = held ? { ...row, verdict: 'held' } : row;
    await lanes.add([`account ${row.account}`], () => settle(entry));
  }
  for await (const row of readRows(file.path)) {
    if (row.n >= options.limit || signal.aborted) break;
    if (tally.has(row.n)) continue;
    if (holds.length > 0) await reviewUntil(row.at);
    const shared = row.counterparty === undefined ? [] : [`${counterpartyLane(row)} ${row.counterparty}`];
    await lanes.add([`account ${row.account}`, ...shared], () => sendRow(row));
  }
  await lanes.drain();
  if (signal.aborted) return;
  await reviewUntil(Number.POSITIVE_INFINITY);
  await lanes.drain();
}

/** A transfer's counterparty is an account of the file, whose own rows must keep their order with it. */
function counterpartyLane(row: ReplayRow): 'account' | 'counterparty' {
  return row.type === 'transfer' ? 'account' : 'counterparty';
}

function entryOf(row: ReplayRow, answer: ApiAnswer & { ms: number }): RowEntry {
  const { transactionId, code } = answer.body ?? {};
  return {
    kind: 'row',
    n: row.n,
    account: row.account,
    label: row.label,
    scenario: row.scenario,
    verdict: verdictOf(row, answer),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof transactionId === 'string' ? { transactionId } : {}),
    ms: Math.round(answer.ms * 100) / 100,
    at: row.at,
  };
}

function verdictOf(row: ReplayRow, answer: ApiAnswer): FirstVerdict {
  switch (answer.body?.status) {
    case 'settled':
      return 'settled';
    case 'step_up_required':
      return 'step_up';
    case 'quarantined':
      return 'held';
    case 'rejected':
      return 'rejected';
  }
  if (answer.status === 400 || answer.status === 409 || answer.status === 422) {
    // A 422 is a problem document that names the stored rejection, where one was stored.
    return answer.body?.transactionId === undefined ? 'not_accepted' : 'rejected';
  }
  return refuse(answer, `row ${row.n + 1}`);
}

function endOf(entry: RowEntry, state: { status: string; code: string | null; hold: boolean }): JournalEntry {
  return {
    kind: 'end',
    n: entry.n,
    status: state.status === 'settled' ? 'settled' : 'rejected',
    ...(state.code === null ? {} : { code: state.code }),
    hold: state.hold,
  };
}

function refuse(answer: ApiAnswer, what: string): never {
  const code: unknown = answer.body?.code;
  const hint = answer.status === 403 ? ' Imports are only taken by an API that was started with IMPORTER=1.' : '';
  throw new Error(
    `The API answered ${answer.status}${typeof code === 'string' ? ` ${code}` : ''} to the ${what}.${hint}`,
  );
}
