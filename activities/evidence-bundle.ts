import { createHash, type KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import type { ClientBase } from 'pg';
import { createRangeCheck } from '../db/audit-check.ts';
import { connectForAudit } from '../db/audit-connection.ts';
import { type Diagnosis, diagnose } from '../db/audit-diagnosis.ts';
import { type SealedRow, sealedRows } from '../db/audit-rows.ts';
import { auditOrigin } from '../db/audit-search.ts';
import { createInclusionProver } from '../db/audit-tree.ts';
import { createAuditVerifier, type Verification } from '../db/audit-verify.ts';
import { coldMonthsWithin, coldStorage } from '../db/cold-storage.ts';
import {
  type EvidenceTerms,
  evidenceTerms,
  openEntries,
  placesOf,
  sealedWithin,
  selectEntries,
} from '../db/evidence-selection.ts';
import type { Database } from '../db/orm.ts';
import { DomainError, isDomainError } from '../domain/errors.ts';
import { EVIDENCE_WINDOW_HOURS, MAX_EVIDENCE_ENTRIES } from '../domain/evidence.ts';
import { MerkleError, verifyInclusion } from '../security/merkle.ts';
import { createHmacCheck } from '../security/sha256.ts';
import type { CheckpointPublisher, Refusal } from './checkpoint-publisher.ts';
import { type CoveringCheckpoint, coveringCheckpoint } from './covering-checkpoint.ts';
import { findingOf, lineOf, MAX_PENDING, signedManifest } from './export-files.ts';

export const ENTRIES_FILE = 'entries.ndjson.gz';
/** How long is waited for the seals of entries that were just written; sealing takes a quarter of a second. */
const SEALED_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;
/** Rows that are read at once. */
const BATCH = 1_000;
/** Included entries that are not what was written, which the manifest names one by one. */
const MAX_DAMAGED = 100;

export type EvidencePhase = 'select' | 'seal' | 'verify' | 'prove';

export interface BundleRequest {
  /** Names the bundle in its manifest. */
  bundleId: string;
  incidentId: string;
  windowHours?: number;
  /** Entries at most. */
  limit?: number;
  /** Threads of the verification. */
  threads?: number;
  onProgress?: (progress: { phase: EvidencePhase; done: number; total: number }) => void;
  signal?: AbortSignal;
}

export interface EvidenceBundle {
  /** By their names in the folder, in the order in which they are written. */
  files: ReadonlyMap<string, Buffer>;
  manifestSha256: string;
  /** To pin: an auditor compares it with what he got elsewhere. */
  verifierKey: string;
  incidentId: string;
  entries: number;
  /** Entries that belong to the incident: more than there are in the bundle where it was cut. */
  found: number;
  pending: number;
  checkpoint: string | null;
  verification: Verification;
  /** The log contradicts what is published. */
  refusal: Refusal | null;
}

/**
 * Gathers what the audit log holds about an incident, so that somebody who has nothing of this installation can verify
 * it (docs/audit-verification.md has the format): the entries as they were hashed, the proof of each that it is in the
 * tree of one published checkpoint, and what the holder of the audit key finds in them and in the log around them, signed.
 * A log that is not sound gives evidence all the same, with the damage named.
 */
export function createEvidenceMaker(deps: { db: Database; auditKey: KeyObject; publisher: CheckpointPublisher }) {
  const { db, auditKey, publisher } = deps;
  const { signer } = publisher;

  /** @throws DomainError `not_found`, `tree_behind`; errors of the database, or when no place of checkpoints answers */
  async function make(request: BundleRequest): Promise<EvidenceBundle> {
    const client = await connectForAudit(db.databaseUrl);
    try {
      return await makeWith(client, request);
    } finally {
      await client.end();
    }
  }

  async function makeWith(client: ClientBase, request: BundleRequest): Promise<EvidenceBundle> {
    const { bundleId, incidentId, windowHours = EVIDENCE_WINDOW_HOURS, limit = MAX_EVIDENCE_ENTRIES, signal } = request;
    const tell = (phase: EvidencePhase, done: number, total: number) => {
      signal?.throwIfAborted();
      request.onProgress?.({ phase, done, total });
    };
    const terms = await evidenceTerms(client, incidentId, windowHours);
    if (terms === undefined) throw new DomainError('not_found', 'There is no such incident.');
    tell('select', 0, 1);
    const selected = await selectEntries(client, terms, limit);
    tell('select', 1, 1);
    const { seqs, open } = await sealedPlaces(client, selected.ids, (done) => tell('seal', done, selected.ids.length));
    const pending = await pendingOf(client, open);
    const last = seqs.at(-1) ?? -1;
    const covering = await coveringCheckpoint(publisher, { covering: last + 1, signal });
    const around = await verifyAround(client, terms, seqs, request, (done, total) => tell('verify', done, total));
    const written = await proven(client, seqs, covering, (done) => tell('prove', done, seqs.length));
    const verification = judged(around, written.damaged, covering);
    const entries = seqs.length;
    const origin = await auditOrigin(db.fork());
    const { checkpoint, tree, refusal } = covering;
    const { sha256, files } = signedManifest(
      {
        ...{ kind: 'evidence', bundleId, incident: terms.incident, entries },
        selection: { ...selectionOf(terms, selected.found, limit), inColdStorage: await coldMonthsOf(terms) },
        files: [{ name: ENTRIES_FILE, from: seqs[0] ?? 0, count: entries, ...digestOf(written.bytes) }],
        checkpoint: checkpoint?.name ?? null,
        tree: tree && { size: tree.size, root: tree.root.toString('hex'), head: tree.head.toString('hex') },
        verification: findingOf(verification),
        damaged: written.damaged,
        pending,
      },
      { origin, signer },
    );
    return {
      files: new Map([
        ...Object.entries(files).map(([name, content]) => [name, Buffer.from(content)] as const),
        ...(checkpoint ? [[`checkpoints/${checkpoint.name}`, Buffer.from(checkpoint.note)] as const] : []),
        [ENTRIES_FILE, written.bytes],
      ]),
      ...{ manifestSha256: sha256, verifierKey: signer.verifierKey(origin), incidentId },
      ...{ entries, found: selected.found, pending: open.length, checkpoint: checkpoint?.name ?? null },
      ...{ verification, refusal },
    };
  }

  /** Months of the window whose entries are in an archive folder: what of the incident lies there nobody can tell from here. */
  async function coldMonthsOf(window: EvidenceTerms): Promise<string[]> {
    return coldMonthsWithin(await coldStorage(db.fork(), createHmacCheck(auditKey)), window);
  }

  /** Waits for the seals of what was just written; what gets none is told of. */
  async function sealedPlaces(client: ClientBase, ids: readonly string[], onSealed: (done: number) => void) {
    for (const deadline = performance.now() + SEALED_WITHIN_MS; ; ) {
      const places = await placesOf(client, ids);
      onSealed(places.seqs.length);
      if (places.open.length === 0 || performance.now() > deadline) return places;
      await sleep(LOOK_EVERY_MS);
    }
  }

  async function pendingOf(client: ClientBase, ids: readonly string[]) {
    const isGenuine = createHmacCheck(auditKey);
    const found = await openEntries(client, ids.slice(0, MAX_PENDING));
    return found.map(({ id, entry, entry_hmac: mac }) => ({
      ...{ id, entry, entryHmac: mac.toString('hex'), genuine: isGenuine(entry, mac) },
    }));
  }

  /** Verifies the log from the first to the last entry of the window, and of the bundle: what was taken out shows there. */
  async function verifyAround(
    client: ClientBase,
    terms: EvidenceTerms,
    seqs: readonly number[],
    { threads, signal }: BundleRequest,
    onProgress: (done: number, total: number) => void,
  ): Promise<Verification> {
    const window = await sealedWithin(client, terms);
    const places = [seqs[0], seqs.at(-1), window?.first, window?.last].filter((seq) => seq !== undefined);
    const [from, to] = places.length === 0 ? [0, 0] : [Math.min(...places), Math.max(...places) + 1];
    onProgress(0, to - from);
    return createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      ...{ published: await publisher.evidence({ signal }), from, to },
      ...(threads ? { threads } : {}),
      ...(signal ? { signal } : {}),
      onProgress: ({ head }) => onProgress(Math.max(0, head.seq + 1 - from), to - from),
    });
  }

  /** The entries as gzipped lines, each with a proof that was checked, and what is wrong with one by itself. */
  async function proven(
    client: ClientBase,
    seqs: readonly number[],
    { tree }: CoveringCheckpoint,
    onWritten: (done: number) => void,
  ): Promise<{ bytes: Buffer; damaged: Diagnosis[] }> {
    const { walk } = createRangeCheck([auditKey]);
    const prove = tree && (await createInclusionProver(db.fork(), tree.size));
    const damaged: Diagnosis[] = [];
    const note = (found: Diagnosis) => damaged.length < MAX_DAMAGED && damaged.push(found);

    async function proofOf(row: SealedRow): Promise<Buffer[]> {
      const { seq } = row;
      if (tree === null || prove === null) return [];
      const leaf = Buffer.from(row.leafHash);
      const proof = await prove(seq).catch((error: unknown) => {
        if (!isDomainError(error) || error.code !== 'log_damaged') throw error;
        return [];
      });
      try {
        verifyInclusion({ leaf, index: seq, size: tree.size, root: tree.root, proof });
      } catch (error) {
        if (!(error instanceof MerkleError)) throw error;
        note({ seq, reason: 'tree_changed' });
      }
      return proof;
    }

    async function faultOf(row: SealedRow): Promise<void> {
      const single = walk({ from: row.seq, to: row.seq + 1, sizes: [] });
      single.push(row);
      const { fault } = single.end();
      if (fault !== null) note(await diagnose(db.fork(), fault));
    }

    const gzip = createGzip({ level: constants.Z_BEST_COMPRESSION });
    const compressed = gzip.toArray();
    try {
      for (let at = 0; at < seqs.length; at += BATCH) {
        const lines: string[] = [];
        const batch: SealedRow[] = [];
        // Rows are views that are good until the next one, and a proof takes a connection of its own.
        for await (const row of sealedRows(client, { seqs: seqs.slice(at, at + BATCH) })) batch.push(detached(row));
        for (const row of batch) {
          await faultOf(row);
          lines.push(lineOf(row, await proofOf(row)));
        }
        gzip.write(lines.join(''));
        onWritten(Math.min(at + BATCH, seqs.length));
      }
    } finally {
      gzip.end();
    }
    return { bytes: Buffer.concat(await compressed), damaged };
  }

  return { make };
}

export type EvidenceMaker = ReturnType<typeof createEvidenceMaker>;

function detached(row: SealedRow): SealedRow {
  const { prevHash, hash, leafHash, sealMac, entryHmac } = row;
  return {
    ...row,
    ...{ prevHash: Buffer.from(prevHash), hash: Buffer.from(hash), leafHash: Buffer.from(leafHash) },
    ...{ sealMac: Buffer.from(sealMac), entryHmac: entryHmac && Buffer.from(entryHmac) },
  };
}

/** What was found on the way from the first to the last entry comes first, then in single entries, then beside the database. */
function judged(
  around: Verification,
  damaged: readonly Diagnosis[],
  { refusal, tree }: CoveringCheckpoint,
): Verification {
  if (!around.valid) return around;
  const [first] = damaged;
  if (first !== undefined) return { ...around, valid: false, firstInvalidSeq: first.seq, reason: first.reason };
  if (refusal !== null) return { ...around, valid: false, firstInvalidSeq: null, reason: refusal.reason };
  // Its seals or nodes are not all there, though not in these entries.
  if (tree === null) return { ...around, valid: false, firstInvalidSeq: null, reason: 'tree_changed' };
  return around;
}

function selectionOf(
  { subjects, actors, workflows, from, to, windowHours }: EvidenceTerms,
  found: number,
  limit: number,
) {
  return { windowHours, from, to, subjects, actors, workflows, found, limit, truncated: found > limit };
}

function digestOf(bytes: Buffer): { bytes: number; sha256: string } {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
