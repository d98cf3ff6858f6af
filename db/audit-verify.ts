import type { KeyObject } from 'node:crypto';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import {
  type ChainFaultReason,
  type ChainHead,
  type ChainRow,
  createChainVerifier,
  genesisHash,
} from '../security/audit-chain.ts';
import { sealMessage } from '../security/audit-seal-mac.ts';
import { createHmacCheck } from '../security/sha256.ts';
import type { Database } from './orm.ts';
import { oneRow, row, rows } from './sql.ts';

/** Entries read in one statement: a few megabytes, so memory does not grow with the log. */
const PAGE_SIZE = 2_000;
/** Entries checked between two chances for other work of this process: about 5 ms. */
const SLICE_SIZE = 250;
/** Unsealed entries that are looked at; more means that sealing stands still, which `unsealed` tells. */
const PENDING_LIMIT = 100_000;

export type VerificationReason =
  | ChainFaultReason
  /** One entry has two seals. */
  | 'sealed_twice'
  /** An entry lies where the sealer never looks: it was put into the table by hand. */
  | 'entry_hidden';

export interface Verification {
  valid: boolean;
  /** Sealed entries that were found sound, from the first on. */
  checked: number;
  /** Entries that wait for their seal. */
  unsealed: number;
  /** Null when the log is sound, or when what is wrong has no place in the chain. */
  firstInvalidSeq: number | null;
  reason: VerificationReason | null;
  /** The end of the sound part. */
  head: ChainHead;
}

export interface VerifyOptions {
  /** Goes on behind what an interrupted run has checked already. */
  after?: ChainHead;
  /** Called after every page. `total` is the number of seals when the run began. */
  onProgress?: (progress: { head: ChainHead; total: number }) => void | Promise<void>;
  /** Ends the run between two pages with the signal's reason. */
  signal?: AbortSignal;
}

interface SealedRow extends ChainRow {
  hash: Buffer;
  entryId: string;
  n: string;
  era: string;
  xid: string;
  sealedAt: string;
  horizon: string | null;
  sealMac: Buffer;
  stored: { id: string | null; at: string | null; action: unknown; actor: unknown; subject: unknown; outcome: unknown };
}

/**
 * Recomputes the whole log: entry texts, their columns and MACs, every link, leaf and seal, and that each entry is sealed
 * exactly once. Reads page by page without a long transaction, beside writers and sealer, and stops at the first fault.
 */
export function createAuditVerifier({ db, auditKeys }: { db: Database; auditKeys: readonly KeyObject[] }) {
  async function page(afterSeq: number, throughSeq: number): Promise<SealedRow[]> {
    const found = await rows<Record<string, never>>(db.fork(), PAGE, [afterSeq, throughSeq]);
    return found.map(toSealedRow);
  }

  const macChecks = auditKeys.map(createHmacCheck);
  const isGenuine = (message: string | Uint8Array, mac: Uint8Array) => macChecks.some((isMac) => isMac(message, mac));
  const hasGenuineSeal = (seal: SealedRow): boolean => isGenuine(sealMessage(seal), seal.sealMac);

  async function verify({ after, onProgress, signal }: VerifyOptions = {}): Promise<Verification> {
    const { origin, total } = await bounds(db);
    const published = await lastSoundHead(db);
    const start = after ?? { seq: -1, hash: genesisHash(origin) };
    const verifier = createChainVerifier<SealedRow>({
      origin,
      after: start,
      auditKeys,
      checkSeal: hasGenuineSeal,
      ...(published ? { published } : {}),
    });
    let head = start;
    let next = page(start.seq, total - 1);
    for (;;) {
      const current = await next;
      const last = current.at(-1);
      if (last === undefined) break;
      // The next page is fetched while this one is checked: database and verifier work at the same time.
      next = page(last.seq, total - 1);
      next.catch(() => {});
      for (const [index, sealed] of current.entries()) {
        if (index % SLICE_SIZE === 0) await yieldToOthers();
        const fault = verifier.push(sealed) ?? columnFault(sealed);
        if (fault) {
          await next;
          return unsound(await countUnsealed(db), { checked: head.seq + 1, head, ...fault });
        }
        head = { seq: sealed.seq, hash: sealed.hash };
      }
      await onProgress?.({ head, total });
      signal?.throwIfAborted();
    }
    const { fault } = verifier.end();
    if (fault) return unsound(await countUnsealed(db), { checked: head.seq + 1, head, ...fault });
    return verifyRest(head);
  }

  /** What the walk along the seals cannot see: entries with two seals, and entries without one. */
  async function verifyRest(head: ChainHead): Promise<Verification> {
    const checked = head.seq + 1;
    const twice = await row<{ seq: string }>(db.fork(), SEALED_TWICE);
    const unsealed = await countUnsealed(db);
    if (twice !== undefined) {
      return unsound(unsealed, { checked: Number(twice.seq), head, seq: Number(twice.seq), reason: 'sealed_twice' });
    }
    if (unsealed.count > unsealed.pending && unsealed.pending < PENDING_LIMIT) {
      return unsound(unsealed, { checked, head, seq: null, reason: 'entry_hidden' });
    }
    const pending = await rows<{ entry: string; entry_hmac: Buffer }>(
      db.fork(),
      `select entry, entry_hmac from audit_pending('0', 0, ${PAGE_SIZE})`,
    );
    if (!pending.every(({ entry, entry_hmac }) => isGenuine(entry, entry_hmac)))
      return unsound(unsealed, { checked, head, seq: null, reason: 'hmac_mismatch' });
    return { valid: true, checked, unsealed: unsealed.count, firstInvalidSeq: null, reason: null, head };
  }

  return { verify };
}

export type AuditVerifier = ReturnType<typeof createAuditVerifier>;

async function bounds(db: Database): Promise<{ origin: string; total: number }> {
  const { origin, last } = await oneRow<{ origin: string; last: string | null }>(
    db.fork(),
    'select origin, (select max(seq) from audit_seal) as last from audit_log_origin',
  );
  return { origin, total: Number(last ?? -1) + 1 };
}

/** The longest chain that was ever found sound: a shorter or another one since then is a fault. */
async function lastSoundHead(db: Database): Promise<ChainHead | null> {
  const found = await row<{ checked: string; head_hash: Buffer }>(
    db.fork(),
    `select checked, head_hash from audit_verification where status = 'valid' and checked > 0
      order by checked desc limit 1`,
  );
  return found === undefined ? null : { seq: Number(found.checked) - 1, hash: found.head_hash };
}

/** All three counts come from one snapshot, so appends and seals meanwhile cannot make them disagree. */
async function countUnsealed(db: Database): Promise<{ count: number; pending: number }> {
  const { entries, seals, pending } = await oneRow<{ entries: string; seals: string; pending: string }>(
    db.fork(),
    `select (select count(*) from audit_entry) as entries, (select count(*) from audit_seal) as seals,
            (select count(*) from audit_pending('0', 0, ${PENDING_LIMIT})) as pending`,
  );
  return { count: Math.max(0, Number(entries) - Number(seals)), pending: Number(pending) };
}

function unsound(
  unsealed: { count: number },
  fault: { checked: number; head: ChainHead; seq: number | null; reason: VerificationReason },
): Verification {
  const { checked, head, seq, reason } = fault;
  return { valid: false, checked, unsealed: unsealed.count, firstInvalidSeq: seq, reason, head };
}

/** The columns beside the text serve queries; a search must not find something else than what is hashed. */
function columnFault(sealed: SealedRow): { seq: number; reason: ChainFaultReason } | null {
  const { seq, stored } = sealed;
  let text: Record<string, unknown>;
  try {
    // Its MAC has held, so it is what `append` wrote: canonical, no name twice. Making it canonical again would be most of the work.
    text = JSON.parse(sealed.entry ?? '') as Record<string, unknown>;
  } catch {
    return { seq, reason: 'not_canonical' };
  }
  const idOf = (party: unknown) => (party as { id?: string } | null)?.id ?? null;
  const agrees =
    text.id === sealed.entryId &&
    text.id === stored.id &&
    text.at === stored.at &&
    text.action === stored.action &&
    text.outcome === stored.outcome &&
    idOf(text.actor) === stored.actor &&
    idOf(text.subject) === stored.subject;
  return agrees ? null : { seq, reason: 'column_mismatch' };
}

const UTC = '+00';
const MICROSECONDS = 'hh:mm:ss.uuuuuu';

/** PostgreSQL's text of a timestamptz in UTC as RFC 3339 with exactly six digits of fraction. */
function microseconds(timestamp: string): string {
  const [date, time] = [timestamp.slice(0, 10), timestamp.slice(11, -UTC.length)];
  return `${date}T${time.includes('.') ? time.padEnd(MICROSECONDS.length, '0') : `${time}.000000`}Z`;
}

// biome-ignore lint/suspicious/noExplicitAny: the raw row of PAGE, named field by field here and nowhere else
function toSealedRow(raw: any): SealedRow {
  return {
    seq: Number(raw.seq),
    entryId: raw.entry_id,
    n: raw.n ?? '',
    era: String(raw.era ?? ''),
    xid: raw.xid ?? '',
    entry: raw.entry,
    prevHash: raw.prev_hash,
    hash: raw.hash,
    leafHash: raw.leaf_hash,
    entryHmac: raw.entry_hmac,
    sealMac: raw.seal_hmac,
    sealedAt: microseconds(raw.sealed_at),
    horizon: raw.horizon,
    stored: {
      id: raw.id,
      at: raw.at === null ? null : microseconds(raw.at),
      action: raw.action,
      actor: raw.actor,
      subject: raw.subject,
      outcome: raw.outcome,
    },
  };
}

const PAGE = `
  select s.seq, s.entry_id, s.prev_hash, s.hash, s.leaf_hash, s.seal_hmac, s.horizon::text as horizon, s.sealed_at,
         e.id, e.n, e.era, e.xid::text as xid, e.entry, e.entry_hmac, e.at, e.action, e.actor, e.subject, e.outcome
    from audit_seal s left join audit_entry e on e.id = s.entry_id
   where s.seq > $1 and s.seq <= $2 order by s.seq limit ${PAGE_SIZE}`;

const SEALED_TWICE = `
  select min(seq) as seq from (
    select max(seq) as seq from audit_seal group by entry_id having count(*) > 1) as twice having count(*) > 0`;
