import type { KeyObject } from 'node:crypto';
import type { ClientBase } from 'pg';
import { genesisHash, LEAF_PREFIX } from '../security/audit-chain.ts';
import { sealMessage } from '../security/audit-seal-mac.ts';
import { createHmacSha256, createSha256 } from '../security/sha256.ts';
import { completesTile, extendTree } from './audit-tree.ts';
import { namedStatement } from './prepared-statements.ts';
import { oneRow, type Tx } from './sql.ts';

/** Entries sealed in one transaction at most: about 100 ms of work, so that a failing leader never blocks for long. */
const BATCH_SIZE = 5_000;
const DIGEST_BYTES = 32;
/** Previous hash, hash, leaf hash and MAC of a seal. */
const SEAL_DIGESTS = 4;
/** Entries that {@link sealerLag} counts at most: health is asked often, and more is "far behind" in any case. */
const LAG_COUNT_LIMIT = 10_000;

export interface ChainEnd {
  /** -1 for an empty log. */
  seq: number;
  hash: Buffer;
}

export type SealResult =
  /** Another sealer holds the lock. */
  | { outcome: 'busy' }
  /** The chain does not end where the caller said: somebody else sealed, or its end was cut off. */
  | { outcome: 'moved'; end: ChainEnd }
  /** `more`: entries are known to wait, seal again at once. */
  | { outcome: 'sealed'; count: number; end: ChainEnd; more: boolean };

interface PendingEntry {
  id: string;
  n: string;
  era: number;
  xid: string;
  entry: string;
}

/** Where the chain ends, and a snapshot and a time of the database to seal with. */
interface State {
  seq: string | null;
  hash: Buffer | null;
  origin: string;
  snapshot: string;
  snapshot_xmax: string;
  now: string;
}

/** A walk through everything that was visible in `snapshot`, in batches by (xid, n). */
interface Pass {
  snapshot: string;
  xmax: bigint;
  after: { xid: string; n: string };
}

/**
 * Chains entries that are visible and unsealed, one batch a transaction, on a connection of its own. Correct with any
 * number of callers at once: the advisory lock lets one in, and the keys on seq and entry refuse what it could miss.
 * It keeps nothing that must survive; a new one goes on where the last committed seal ended.
 */
export function createChainSealer({ auditKey, batchSize = BATCH_SIZE }: { auditKey: KeyObject; batchSize?: number }) {
  let pass: Pass | undefined;
  const sha256 = createSha256();
  const hmac = createHmacSha256(auditKey);

  async function sealNext(client: ClientBase, expected?: number): Promise<SealResult> {
    const after = pass?.after ?? { xid: '0', n: '0' };
    // Sent at once where the connection is a pipeline; each sees what was committed before the one in front of it ended.
    // The snapshot is taken before the entries are read: what it sees is among them, what is newer does no harm.
    const [, { rows: tried }, { rows: states }, { rows: found }] = await Promise.all([
      client.query('begin isolation level read committed'),
      client.query<{ locked: boolean }>(TRY_LOCK()),
      client.query<State>(STATE()),
      // One more than the batch tells whether this was the last one, which is the one to carry the horizon.
      client.query<PendingEntry>(PENDING(after.xid, after.n, batchSize + 1)),
    ]);
    if (tried[0]?.locked !== true) {
      await client.query('rollback');
      return { outcome: 'busy' };
    }
    const state = states[0];
    if (state === undefined) throw new Error('the audit log has no origin: run the migrations');
    const end = endOf(state);
    if (expected !== undefined && expected !== end.seq) {
      await client.query('rollback');
      return { outcome: 'moved', end };
    }
    const current: Pass = pass ?? { snapshot: state.snapshot, xmax: BigInt(state.snapshot_xmax), after };
    const pending = found.slice(0, batchSize);
    const last = pending.at(-1);
    // Everything the pass's snapshot saw has a smaller transaction id than its xmax, so an id beyond ends the pass even
    // when appends never cease.
    const more = found.length > pending.length;
    const isComplete = last === undefined || !more || BigInt(last.xid) >= current.xmax;
    const seals = sealsOf(end, pending, state.now, isComplete ? current.snapshot : null);
    const size = seals.end.seq + 1;
    const inserted = pending.length > 0 ? client.query(INSERT_SEALS(...seals.parameters)) : undefined;
    if (completesTile(end.seq + 1, size)) {
      await inserted;
      await extendTree(client, size);
    }
    // A commit that follows a failed insert rolls back.
    await Promise.all([inserted, client.query('commit')]);
    pass = isComplete ? undefined : { ...current, after: { xid: last.xid, n: last.n } };
    return { outcome: 'sealed', count: pending.length, end: seals.end, more };
  }

  /** What {@link INSERT_SEALS} takes for entries that follow `end`. */
  function sealsOf(end: ChainEnd, entries: readonly PendingEntry[], sealedAt: string, horizon: string | null) {
    const digests = Buffer.allocUnsafe(entries.length * SEAL_DIGESTS * DIGEST_BYTES);
    let { seq, hash: prevHash } = end;
    for (const [index, { id, n, era, xid, entry }] of entries.entries()) {
      seq += 1;
      const digest = (at: number) => {
        const begin = (index * SEAL_DIGESTS + at) * DIGEST_BYTES;
        return digests.subarray(begin, begin + DIGEST_BYTES);
      };
      const [prev, hash, leaf, mac] = [digest(0), digest(1), digest(2), digest(3)];
      prev.set(prevHash);
      hash.set(sha256(prevHash, entry));
      leaf.set(sha256(LEAF_PREFIX, entry));
      const message = sealMessage({
        seq,
        entryId: id,
        n,
        era: String(era),
        xid,
        prevHash,
        hash,
        leafHash: leaf,
        sealedAt,
        horizon: index === entries.length - 1 ? horizon : null,
      });
      mac.set(hmac(message));
      prevHash = hash;
    }
    // Arrays as the text that PostgreSQL reads: nothing in them has to be quoted.
    const ids = `{${entries.map(({ id }) => id).join()}}`;
    const eras = `{${entries.map(({ era }) => era).join()}}`;
    return { end: { seq, hash: prevHash }, parameters: [end.seq, ids, eras, digests, seq, horizon, sealedAt] };
  }

  return {
    /**
     * Seals the next batch in a transaction of its own.
     *
     * @param expected the last sequence number of the chain, for a caller that seals only while nobody else does
     * @throws errors of the connection; nothing is sealed then
     */
    async seal(client: ClientBase, expected?: number): Promise<SealResult> {
      try {
        return await sealNext(client, expected);
      } catch (error) {
        pass = undefined;
        await client.query('rollback').catch(() => {});
        throw error;
      }
    },

    /**
     * To be called once a connection: when the database was restored into another cluster, whose transaction ids say
     * nothing about the old ones, it seals what the old era left over and begins a new one, in one transaction.
     */
    async enterEra(client: ClientBase): Promise<void> {
      const { rows } = await client.query<{ same: boolean }>(IS_SAME_CLUSTER);
      if (rows[0]?.same === true) return;
      await client.query('begin isolation level read committed');
      try {
        await client.query(`select pg_advisory_xact_lock(hashtextextended('tradeguard.audit-seal', 0))`);
        await client.query('select audit_begin_era()');
        for (;;) {
          const { rows: remainder } = await client.query<PendingEntry>(REMAINDER, [batchSize]);
          if (remainder.length === 0) break;
          const { rows: states } = await client.query<State>(STATE());
          const state = states[0];
          if (state === undefined) throw new Error('the audit log has no origin: run the migrations');
          const seals = sealsOf(endOf(state), remainder, state.now, null);
          await client.query(INSERT_SEALS(...seals.parameters));
        }
        await client.query('commit');
      } catch (error) {
        await client.query('rollback').catch(() => {});
        throw error;
      }
    },

    /** One step of making the tree of a log that was sealed before it had one. @returns whether more is missing */
    async growTree(client: ClientBase): Promise<boolean> {
      await client.query('begin isolation level read committed');
      try {
        await client.query(`select pg_advisory_xact_lock(hashtextextended('tradeguard.audit-seal', 0))`);
        const { rows: ends } = await client.query<{ seq: string }>(
          'select seq from audit_seal order by seq desc limit 1',
        );
        const more = await extendTree(client, Number(ends[0]?.seq ?? -1) + 1);
        await client.query('commit');
        return more;
      } catch (error) {
        await client.query('rollback').catch(() => {});
        throw error;
      }
    },

    /** What a sealer that waits its turn looks at: the chain's end and the entry that has waited longest. */
    async look(client: ClientBase): Promise<{ seq: number; firstPending: string | null }> {
      const { rows } = await client.query<{ seq: string | null; id: string | null }>(
        `select (select seq from audit_seal order by seq desc limit 1) as seq,
                (select id from audit_pending('0', 0, 1)) as id`,
      );
      return { seq: Number(rows[0]?.seq ?? -1), firstPending: rows[0]?.id ?? null };
    },
  };
}

export type ChainSealer = ReturnType<typeof createChainSealer>;

/** How far sealing is behind: for health and alerts. */
export interface SealerLag {
  /** Counted up to 10,000. */
  unsealed: number;
  /** Age in milliseconds of the oldest entry that waits; 0 when none does. */
  oldestUnsealedMs: number;
  /** Null for an empty log. */
  lastSeq: number | null;
}

/** Cheap at any size of the log: see `audit_pending` in the migration. */
export async function sealerLag(tx: Tx): Promise<SealerLag> {
  const lag = await oneRow<{ unsealed: string; age: string | null; seq: string | null }>(
    tx,
    `select count(*) as unsealed, extract(epoch from clock_timestamp() - min(at)) * 1000 as age,
            (select seq from audit_seal order by seq desc limit 1) as seq
       from audit_pending('0', 0, ${LAG_COUNT_LIMIT})`,
  );
  return {
    unsealed: Number(lag.unsealed),
    oldestUnsealedMs: Math.max(0, Math.round(Number(lag.age ?? 0))),
    lastSeq: lag.seq === null ? null : Number(lag.seq),
  };
}

/**
 * How far sealing is behind, for who watches over it: {@link sealerLag}, and every recent entry without a seal, whichever is
 * worse. The second look shares nothing with the sealer but the tables. Where the sealer is led astray, before it entered the
 * era of a restored cluster or by a transaction id that somebody changed, it sees nothing to do, and so does the first look.
 *
 * @param recent how far back the second look goes; its cost grows with the entries of that time, not with the log
 */
export async function sealingBacklog(
  tx: Tx,
  recent: '1 hour' | '1 day',
): Promise<{ unsealed: number; oldestSeconds: number }> {
  const known = await sealerLag(tx);
  const seen = await oneRow<{ unsealed: string; age: string }>(
    tx,
    `select count(*) as unsealed, coalesce(extract(epoch from clock_timestamp() - min(e.at)), 0) as age
       from audit_entry e
      where e.at > clock_timestamp() - $1::interval
        and not exists (select from audit_seal s where s.entry_id = e.id)`,
    [recent],
  );
  return {
    unsealed: Math.max(known.unsealed, Number(seen.unsealed)),
    oldestSeconds: Math.max(known.oldestUnsealedMs / 1000, Number(seen.age)),
  };
}

function endOf(state: State): ChainEnd {
  if (state.seq === null || state.hash === null) return { seq: -1, hash: genesisHash(state.origin) };
  return { seq: Number(state.seq), hash: state.hash };
}

const TRY_LOCK = namedStatement(
  `select pg_try_advisory_xact_lock(hashtextextended('tradeguard.audit-seal', 0)) as locked`,
);

const PENDING = namedStatement('select id, n, era, xid, entry from audit_pending($1, $2, $3)');

const STATE = namedStatement(`
  select s.seq, s.hash, o.origin, pg_current_snapshot()::text as snapshot,
         pg_snapshot_xmax(pg_current_snapshot())::text as snapshot_xmax,
         to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now
    from audit_log_origin o left join (select seq, hash from audit_seal order by seq desc limit 1) s on true`);

/** The digests of a seal lie one behind the other, and the seals' behind one another. PostgreSQL counts rows and bytes from 1. */
const digestOf = (at: number): string =>
  `substring($4::bytea from ((position::integer - 1) * ${SEAL_DIGESTS} + ${at}) * ${DIGEST_BYTES} + 1 for ${DIGEST_BYTES})`;

const INSERT_SEALS = namedStatement(`
  insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, horizon, sealed_at)
  select $1::bigint + position, entry_id, era, ${Array.from({ length: SEAL_DIGESTS }, (_, at) => digestOf(at)).join(', ')},
         case when $1::bigint + position = $5::bigint then $6::pg_snapshot end, $7::timestamptz
    from unnest($2::uuid[], $3::integer[]) with ordinality as s (entry_id, era, position)`);

const IS_SAME_CLUSTER = `
  select (select cluster from audit_era order by era desc limit 1) = system_identifier::text as same
    from pg_control_system()`;

const REMAINDER = `
  select e.id, e.n, e.era, e.xid, e.entry from audit_entry e
   where not exists (select from audit_seal s where s.entry_id = e.id)
   order by e.era, e.xid, e.n limit $1`;
