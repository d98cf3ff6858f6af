/**
 * Writes the sample of `docs/sample-transactions.csv`: some hundred made-up transactions in which, under rule set v1,
 * every verdict occurs. The seed is fixed, so the same file comes out every time:
 *
 *     node cli/replay-sample.ts > docs/sample-transactions.csv
 */
const SEED = 20_260_101;
const START = Date.UTC(2026, 0, 5, 7);
const DAYS = 18;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const HABITS = ['groceries', 'transport', 'restaurants'] as const;

interface SampleRow {
  readonly at: number;
  readonly account: string;
  readonly counterparty: string;
  readonly amount: string;
  readonly label: 0 | 1;
  readonly scenario: string;
  readonly type: string;
  readonly category: string;
  readonly currency: string;
}

type Extra = Partial<Omit<SampleRow, 'at' | 'account'>>;

/** The sample as CSV text with a header, in time order. */
export function sampleCsv(): string {
  const rows = sampleRows().toSorted((a, b) => a.at - b.at || (a.account < b.account ? -1 : 1));
  const lines = rows.map((row, index) =>
    [
      `s${String(index + 1).padStart(4, '0')}`,
      new Date(row.at).toISOString().replace('.000Z', 'Z'),
      row.account,
      row.counterparty,
      row.amount,
      row.label,
      row.scenario,
      row.type,
      row.category,
      row.currency,
    ].join(','),
  );
  return `tx_id,ts,account,counterparty,amount,label,scenario,type,category,currency\n${lines.join('\n')}\n`;
}

function sampleRows(): SampleRow[] {
  const random = mulberry32(SEED);
  const between = (low: number, high: number) => low + random() * (high - low);
  const rows: SampleRow[] = [];

  const add = (account: string, at: number, extra: Extra) =>
    rows.push({
      at: Math.round(at / 1000) * 1000,
      account,
      counterparty: `shop${Math.floor(between(1, 40))}`,
      amount: between(15, 45).toFixed(2),
      label: 0,
      scenario: 'everyday',
      type: 'withdrawal',
      category: HABITS[Math.floor(random() * HABITS.length)] ?? 'groceries',
      currency: 'USD',
      ...extra,
    });
  const day = (n: number) => START + n * DAY_MS;

  /** About one purchase a day: what the rules compare everything else with. */
  const live = (account: string) => {
    for (let n = 0; n < DAYS; n += 1) add(account, day(n) + between(0, 10 * 60) * MINUTE_MS, {});
  };
  /** Five small purchases in half an hour: the next one is the sixth within the hour. */
  const burst = (account: string, at: number, extra: Extra) => {
    for (let n = 0; n < 5; n += 1) add(account, at + n * 6 * MINUTE_MS, extra);
    return at + 32 * MINUTE_MS;
  };

  const accounts = Array.from({ length: 16 }, (_, n) => `acct${String(n + 1).padStart(2, '0')}`);
  for (const account of accounts) live(account);
  const account = (n: number) => accounts[n - 1] ?? 'acct01';

  // Above 10,000: a factor is asked for, and only the owner has it.
  for (const n of [1, 2, 3])
    add(account(n), day(12) + n * MINUTE_MS, { amount: '12500.00', scenario: 'large_purchase' });
  for (const n of [4, 5]) add(account(n), day(13) + n * MINUTE_MS, { amount: '10900.00', label: 1, scenario: 'theft' });

  // A burst and an amount far above the average: 70 points, a factor.
  const spree = burst(account(6), day(14), { scenario: 'spree' });
  add(account(6), spree, { amount: '400.00', scenario: 'spree' });
  const testing = burst(account(7), day(14), { label: 1, scenario: 'card_testing' });
  add(account(7), testing, { amount: '450.00', label: 1, scenario: 'card_testing' });

  // The same in a category the account never used: 90 points, held for review.
  for (const n of [8, 9, 10]) {
    const at = burst(account(n), day(15), { label: 1, scenario: 'takeover' });
    add(account(n), at, { amount: '900.00', category: 'crypto', label: 1, scenario: 'takeover' });
  }
  for (const n of [11, 12]) {
    const at = burst(account(n), day(15), { scenario: 'holiday' });
    add(account(n), at, { amount: '650.00', category: 'travel', scenario: 'holiday' });
  }

  // Both above 10,000 and above the threshold: a factor first, then the hold.
  const car = burst(account(13), day(16), { scenario: 'car' });
  add(account(13), car, { amount: '23000.00', category: 'vehicles', scenario: 'car' });

  // Refused without any judgement of risk: more than there is.
  for (const n of [14, 15]) {
    add(account(n), day(10), { amount: '40000000000.00', label: n === 14 ? 1 : 0, scenario: 'overdraft' });
  }

  // Not only withdrawals.
  for (const n of [1, 5, 9]) add(account(n), day(2), { type: 'deposit', amount: '2000.00', category: 'salary' });
  add(account(16), day(3), { type: 'transfer', counterparty: account(1), amount: '75.00', category: 'friends' });
  add(account(2), day(4), { type: 'transfer', counterparty: 'acct17', amount: '60.00', category: 'friends' });
  return rows;
}

/** mulberry32, a public-domain generator of 32 bits of state: enough for a sample, the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

if (import.meta.main) process.stdout.write(sampleCsv());
