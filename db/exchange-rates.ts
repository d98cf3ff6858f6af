import type { ExchangeRate } from '../domain/exchange.ts';
import { iso, row, rows, type Tx } from './sql.ts';

/**
 * The latest rate dated up to now (database time) of a currency, in units of the base; undefined without one.
 * @param virtualAt RFC 3339; the moment instead of now, only of imported rows
 */
export async function rateInForce(
  tx: Tx,
  pair: { baseCurrency: string; currency: string },
  virtualAt: string | null,
): Promise<ExchangeRate | undefined> {
  const found = await row<{ rate: string; at: string; age_ms: string }>(
    tx,
    `select r.rate, r.at, floor(extract(epoch from moment - r.at) * 1000)::bigint as age_ms
       from (select coalesce($3::timestamptz, clock_timestamp()) as moment) as clock
       join lateral (
         select rate, at from exchange_rate
          where base_currency = $1 and quote_currency = $2 and at <= moment order by at desc limit 1) r on true`,
    [pair.baseCurrency, pair.currency, virtualAt],
  );
  return found === undefined ? undefined : { rate: BigInt(found.rate), at: found.at, ageMs: Number(found.age_ms) };
}

export interface CurrencyRate {
  currency: string;
  rate: bigint;
  /** RFC 3339 */
  at: string;
  ageMs: number;
}

/** The rate in force of every currency that has one. */
export async function listRates(tx: Tx, baseCurrency: string): Promise<CurrencyRate[]> {
  const found = await rows<{ currency: string; rate: string; at: string; age_ms: string }>(
    tx,
    `select distinct on (quote_currency) quote_currency as currency, rate, at,
            floor(extract(epoch from clock_timestamp() - at) * 1000)::bigint as age_ms
       from exchange_rate where base_currency = $1 and at <= clock_timestamp()
      order by quote_currency, at desc`,
    [baseCurrency],
  );
  return found.map(({ currency, rate, at, age_ms }) => ({
    currency,
    rate: BigInt(rate),
    at: iso(at),
    ageMs: Number(age_ms),
  }));
}

/** One line of a dated table of rates. */
export interface DatedRate {
  currency: string;
  /** RFC 3339 */
  at: string;
  /** Units of the base currency for one unit, x 10^10. */
  rate: bigint;
}

export interface RateImport {
  inserted: number;
  /** Rows that were there already with this rate. */
  unchanged: number;
  /** Rows whose time already has another rate, which stays: what was decided at it must stay explainable. */
  conflicting: { currency: string; at: string }[];
}

/** Records dated rates to the base currency. The same table twice changes nothing. */
export async function recordRates(
  tx: Tx,
  baseCurrency: string,
  table: readonly DatedRate[],
  source: string,
): Promise<RateImport> {
  const columns = [
    baseCurrency,
    table.map((line) => line.currency),
    table.map((line) => line.at),
    table.map((line) => line.rate.toString()),
  ];
  const inserted = await rows(
    tx,
    `insert into exchange_rate (base_currency, quote_currency, at, rate, source)
     select $1, currency, at, rate, $5
       from unnest($2::text[], $3::timestamptz[], $4::bigint[]) as line (currency, at, rate)
     on conflict (base_currency, quote_currency, at) do nothing returning 1`,
    [...columns, source],
  );
  const conflicting = await rows<{ currency: string; at: string }>(
    tx,
    `select line.currency, line.at::text as at
       from unnest($2::text[], $3::timestamptz[], $4::bigint[]) as line (currency, at, rate)
       join exchange_rate r on r.base_currency = $1 and r.quote_currency = line.currency and r.at = line.at
        and r.rate <> line.rate`,
    columns,
  );
  return {
    inserted: inserted.length,
    unchanged: table.length - inserted.length - conflicting.length,
    conflicting: conflicting.map(({ currency, at }) => ({ currency, at: new Date(at).toISOString() })),
  };
}
