import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** One simulated price; `price` in currency units x 10^4. */
export interface SimulatedPrice {
  instrument: string;
  name: string;
  currency: string;
  /** RFC 3339 */
  at: string;
  price: bigint;
}

/** Made-up companies with the price they move around, currency units x 10^4. */
const INSTRUMENTS: ReadonlyArray<readonly [id: string, name: string, base: number]> = [
  ['ALPN', 'Alpine Rail', 48_2500],
  ['BRKW', 'Breakwater Shipping', 112_4000],
  ['CNDR', 'Condor Aerospace', 231_7500],
  ['DLTA', 'Delta Grain', 27_9000],
  ['EMBR', 'Ember Energy', 64_1000],
  ['FJRD', 'Fjord Seafood', 18_6500],
  ['GLCR', 'Glacier Water', 35_2000],
  ['HLIX', 'Helix Therapeutics', 149_9500],
  ['INDX', 'World Index Fund', 98_7600],
  ['JUNP', 'Juniper Robotics', 310_3000],
];

const SLOT_MS = 15_000;
const DAY_MS = 86_400_000;

/**
 * The prices of a moment, the same in every process and after every restart: each instrument swings slowly around its
 * base and jitters a little from slot to slot.
 *
 * @param currency the base currency
 * @param now Unix milliseconds; the prices are those of the 15-second slot it lies in
 */
export function simulatedPrices(currency: string, now: number): SimulatedPrice[] {
  const slot = Math.floor(now / SLOT_MS);
  const at = new Date(slot * SLOT_MS).toISOString();
  return INSTRUMENTS.map(([instrument, name, base], index) => {
    const swing = Math.sin((2 * Math.PI * slot * SLOT_MS) / DAY_MS + index) * 0.02;
    const jitter = (unitNoise(instrument, slot) - 0.5) * 0.004;
    return { instrument, name, currency, at, price: BigInt(Math.round(base * (1 + swing + jitter))) };
  });
}

/**
 * Writes simulated prices for as long as it runs: for development, where no market is connected. Several workers write
 * the same rows.
 *
 * @param record stores prices; rows that are there already are left alone
 */
export function createPriceFeed(deps: {
  currency: string;
  record: (prices: SimulatedPrice[]) => Promise<unknown>;
  log: Logger;
}) {
  return {
    /** Runs until the signal aborts. A database that is down costs a slot. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        try {
          await deps.record(simulatedPrices(deps.currency, Date.now()));
        } catch (error) {
          deps.log.warn({ err: error }, 'the simulated prices of this slot could not be written');
        }
        const untilNextSlot = SLOT_MS - (Date.now() % SLOT_MS);
        await sleep(untilNextSlot, undefined, { signal }).catch(() => {});
      }
    },
  };
}

/** Looks random and is the same everywhere: [0, 1) from the hash of instrument and slot. */
function unitNoise(instrument: string, slot: number): number {
  return createHash('sha256').update(`${instrument}:${slot}`).digest().readUInt32BE(0) / 2 ** 32;
}
