import type { Quote } from '../domain/quote.ts';
import { isoOrNull, row, rows, type Tx } from './sql.ts';

/** The latest price dated up to now (database time) of an active instrument; undefined for one we do not trade. */
export async function quoteFor(tx: Tx, instrument: string): Promise<Quote | undefined> {
  const found = await row<{ currency: string; price: string | null; age_ms: string | null }>(
    tx,
    `select i.currency, p.price, floor(extract(epoch from clock_timestamp() - p.at) * 1000)::bigint as age_ms
       from instrument i
       left join lateral (
         select price, at from instrument_price
          where instrument_id = i.id and at <= clock_timestamp() order by at desc limit 1) p on true
      where i.id = $1 and i.active`,
    [instrument],
  );
  if (found === undefined) return undefined;
  return {
    currency: found.currency,
    price: found.price === null ? null : BigInt(found.price),
    ageMs: Number(found.age_ms ?? 0),
  };
}

export interface InstrumentPrice {
  id: string;
  name: string;
  currency: string;
  /** Currency units x 10^4; null before the first price. */
  price: bigint | null;
  /** RFC 3339 */
  at: string | null;
}

/** Every instrument that can be traded, with its latest price. */
export async function listInstruments(tx: Tx): Promise<InstrumentPrice[]> {
  const found = await rows<{ id: string; name: string; currency: string; price: string | null; at: string | null }>(
    tx,
    `select i.id, i.name, i.currency, p.price, p.at
       from instrument i
       left join lateral (
         select price, at from instrument_price
          where instrument_id = i.id and at <= clock_timestamp() order by at desc limit 1) p on true
      where i.active order by i.id`,
  );
  return found.map((one) => ({
    ...one,
    price: one.price === null ? null : BigInt(one.price),
    at: isoOrNull(one.at),
  }));
}

/** One line of a dated table of prices. */
export interface DatedPrice {
  instrument: string;
  /** RFC 3339 */
  at: string;
  /** Currency units x 10^4. */
  price: bigint;
  /** Used when the instrument is new. */
  name?: string | undefined;
  currency: string;
}

export interface PriceImport {
  newInstruments: number;
  inserted: number;
  /** Rows that were there already with this price. */
  unchanged: number;
  /** Rows whose time already has another price, which stays: what was settled at it must stay explainable. */
  conflicting: { instrument: string; at: string }[];
}

/** Records dated prices, and the instruments that are new. The same table twice changes nothing. */
export async function recordPrices(tx: Tx, table: readonly DatedPrice[], source: string): Promise<PriceImport> {
  const columns = [
    table.map((line) => line.instrument),
    table.map((line) => line.name ?? line.instrument),
    table.map((line) => line.currency),
    table.map((line) => line.at),
    table.map((line) => line.price.toString()),
  ];
  const created = await rows(
    tx,
    `insert into instrument (id, name, currency)
     select distinct on (id) id, name, currency from unnest($1::text[], $2::text[], $3::text[]) as line (id, name, currency)
     on conflict (id) do nothing returning id`,
    columns.slice(0, 3),
  );
  const inserted = await rows(
    tx,
    `insert into instrument_price (instrument_id, at, price, source)
     select id, at, price, $4 from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as line (id, at, price)
     on conflict (instrument_id, at) do nothing returning 1`,
    [columns[0], columns[3], columns[4], source],
  );
  const conflicting = await rows<{ instrument: string; at: string }>(
    tx,
    `select line.id as instrument, line.at::text as at
       from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as line (id, at, price)
       join instrument_price p on p.instrument_id = line.id and p.at = line.at and p.price <> line.price`,
    [columns[0], columns[3], columns[4]],
  );
  return {
    newInstruments: created.length,
    inserted: inserted.length,
    unchanged: table.length - inserted.length - conflicting.length,
    conflicting: conflicting.map(({ instrument, at }) => ({ instrument, at: new Date(at).toISOString() })),
  };
}
