import type { ColdMonth } from '../domain/cold-month.ts';
import type { AuditLog } from './audit.ts';
import { oneRow, run, type Tx } from './sql.ts';

/** What is in cold storage, as the newest genuine record says. */
export interface ColdStorage {
  /** Of that record; 0 when nothing was ever taken out. */
  number: number;
  months: readonly ColdMonth[];
}

const ACTIONS = { archived: 'audit.month_archived', restored: 'audit.month_restored' } as const;

/** For a statement that has to see the records in the same snapshot as something else. */
export const COLD_RECORDS = `
  (select coalesce(json_agg(json_build_object('entry', r.entry, 'mac', encode(r.entry_hmac, 'hex'))), '[]')
     from audit_entry r where r.action in ('${ACTIONS.archived}', '${ACTIONS.restored}'))`;

export interface ColdRecord {
  entry: string;
  /** Hex. */
  mac: string;
}

export type IsGenuine = (message: string, mac: Uint8Array) => boolean;

/**
 * Reads what is in cold storage from the audit entries that tell of it: their MAC cannot be made by who has only the
 * database. Every record names all that is in cold storage from then on, so the newest one counts alone. It is
 * always in the database, since a month that is taken out ended before its record was written; and who takes it away
 * leaves its seal without an entry.
 */
export async function coldStorage(tx: Tx, isGenuine: IsGenuine): Promise<ColdStorage> {
  const { records } = await oneRow<{ records: ColdRecord[] }>(tx, `select ${COLD_RECORDS} as records`);
  return newestOf(records, isGenuine);
}

/** The newest of {@link COLD_RECORDS} that is genuine. */
export function newestOf(records: readonly ColdRecord[], isGenuine: IsGenuine): ColdStorage {
  let newest: ColdStorage = { number: 0, months: [] };
  for (const { entry, mac } of records) {
    if (!isGenuine(entry, Buffer.from(mac, 'hex'))) continue;
    const { details } = JSON.parse(entry) as { details: { number: number; inColdStorage: ColdMonth[] } };
    // A copy of an older record has its number.
    if (details.number > newest.number) newest = { number: details.number, months: details.inColdStorage };
  }
  return newest;
}

/** How many sealed entries of a range are in cold storage. */
export async function countCold(
  tx: Tx,
  months: readonly ColdMonth[],
  range: { from: number; to: number },
): Promise<number> {
  let sum = 0;
  for (const month of months) {
    const [from, to] = [Math.max(month.from, range.from), Math.min(month.to, range.to)];
    if (from >= to) continue;
    if (from === month.from && to === month.to) {
      sum += month.entries;
      continue;
    }
    const { count } = await oneRow<{ count: string }>(
      tx,
      'select count(*) as count from audit_seal where seq >= $1 and seq < $2 and entry_id >= $3 and entry_id < $4',
      [from, to, month.firstId, month.endId],
    );
    sum += Number(count);
  }
  return sum;
}

/**
 * Records in the caller's transaction that a month was taken out or brought back: as an audit entry, which counts, and as
 * a row for lists. Records are made one at a time.
 *
 * @param change `before`: what is in cold storage, read in this transaction under {@link lockColdStorage}
 */
export async function recordColdChange(
  tx: Tx,
  { audit }: { audit: AuditLog },
  { kind, month, before }: { kind: keyof typeof ACTIONS; month: ColdMonth; before: ColdStorage },
): Promise<void> {
  const number = before.number + 1;
  const others = before.months.filter((one) => one.month !== month.month);
  const months = kind === 'archived' ? [...others, month] : others;
  await audit.append(tx, {
    action: ACTIONS[kind],
    actor: { kind: 'operator' },
    subject: { kind: 'audit_month', id: month.month },
    outcome: 'success',
    details: { number, ...month, inColdStorage: months.sort((a, b) => a.from - b.from) },
  });
  await run(
    tx,
    `insert into audit_archive (number, kind, month, from_seq, to_seq, first_id, end_id, entries, manifest_sha256)
     values ($1, $2, $3, $4, $5, $6, $7, $8, decode($9, 'hex'))`,
    [
      ...[number, kind, month.month, month.from, month.to, month.firstId, month.endId, month.entries],
      month.manifestSha256,
    ],
  );
}

const LOCK = `hashtextextended('tradeguard.audit-cold-storage', 0)`;

/** As long as the connection lasts no month is taken out or brought back: for who reads many ranges as one. */
export const HOLD_COLD_STORAGE = `select pg_advisory_lock_shared(${LOCK})`;

/**
 * Until the transaction ends nobody else takes a month out or brings one back.
 *
 * @returns false when somebody does, or holds things as they are
 */
export async function lockColdStorage(tx: Tx): Promise<boolean> {
  const { locked } = await oneRow<{ locked: boolean }>(tx, `select pg_try_advisory_xact_lock(${LOCK}) as locked`);
  return locked;
}

/** The first id of a time: a UUIDv7 begins with its milliseconds. Before 1970 there is none. */
const firstIdOf = (time: string) => Math.max(0, Date.parse(time)).toString(16).padStart(12, '0');

/**
 * Months in cold storage that have entries of a time, for who looks for some there.
 *
 * @param range RFC 3339, null for no bound
 */
export function coldMonthsWithin(
  { months }: ColdStorage,
  { from, to }: { from: string | null; to: string | null },
): string[] {
  const timeOf = (id: string) => id.replaceAll('-', '').slice(0, 12);
  return months
    .filter(({ firstId, endId }) => {
      const [first, end] = [timeOf(firstId), timeOf(endId)];
      return (from === null || end > firstIdOf(from)) && (to === null || first < firstIdOf(to));
    })
    .map(({ month }) => month);
}
