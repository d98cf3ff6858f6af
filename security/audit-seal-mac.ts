import { lengthPrefixed } from './length-prefix.ts';

/** The first part of what a seal's MAC is made of. */
export const SEAL_VERSION: Buffer = Buffer.from('tradeguard-seal/v1');

/** Everything that the sealer adds to an entry, and the columns that the database gave it. */
export type Seal = {
  /** From 0, without gaps; also the entry's leaf index. */
  seq: number;
  entryId: string;
  /** Decimal text: arrival number, era and transaction id of the entry. */
  n: string;
  era: string;
  xid: string;
  prevHash: Uint8Array;
  hash: Uint8Array;
  leafHash: Uint8Array;
  /** RFC 3339 in UTC with microseconds. */
  sealedAt: string;
  /** `pg_snapshot` as text, on the last seal of a pass. */
  horizon: string | null;
};

/**
 * What the HMAC-SHA256 of a seal is made of, under the key that is kept outside the database. Without that MAC somebody who
 * holds only the database could take an entry out and chain the remaining, genuine ones anew.
 */
export function sealMessage(seal: Seal): Buffer {
  return lengthPrefixed([
    SEAL_VERSION,
    String(seal.seq),
    seal.entryId,
    seal.n,
    seal.era,
    seal.xid,
    seal.prevHash,
    seal.hash,
    seal.leafHash,
    seal.sealedAt,
    seal.horizon ?? '',
  ]);
}
