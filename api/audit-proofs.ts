import { auditOrigin, sealedEntry } from '../db/audit-search.ts';
import { consistencyProof, inclusionProof, rootAt, sealedSize } from '../db/audit-tree.ts';
import { coldStorage } from '../db/cold-storage.ts';
import type { Tx } from '../db/sql.ts';
import { coldMonthOf } from '../domain/cold-month.ts';
import { DomainError } from '../domain/errors.ts';
import { createHmacCheck } from '../security/sha256.ts';
import { AUDIT_LOGS, auditors } from './audit-access.ts';
import {
  consistencyAnswer,
  consistencyQuery,
  inclusionAnswer,
  inclusionParams,
  inclusionQuery,
} from './audit-proofs-schema.ts';
import type { ApiDeps } from './deps.ts';
import { traceOf } from './request-trace.ts';
import { type Route, type RouteContext, route } from './route.ts';

const REFUSALS = {
  404: { description: 'So many entries are not sealed.' },
  409: { description: 'The log is damaged where the proof needs it.' },
  503: { description: 'The tree of an older log is still being made.' },
};

/**
 * Proofs of the Merkle tree over the log (RFC 9162), for auditors who hold a checkpoint and trust nobody here: that an
 * entry is in the log, and that the log only grew. Reads of entries are audited as those of the log are.
 */
export function createAuditProofRoutes({ db, audit, auditKey }: ApiDeps): Route[] {
  const recordRead = async (tx: Tx, context: RouteContext, details: Record<string, unknown>) =>
    audit.append(tx, {
      ...traceOf(context),
      action: 'audit.read',
      subject: { kind: 'audit_log', id: await auditOrigin(tx) },
      details,
    });

  async function archiveOf(tx: Tx, seq: number, id: string) {
    const found = coldMonthOf((await coldStorage(tx, createHmacCheck(auditKey))).months, seq, id);
    return found === undefined ? null : { month: found.month, manifestSha256: found.manifestSha256 };
  }

  return [
    route({
      method: 'get',
      path: `${AUDIT_LOGS}/{seq}/proof`,
      name: 'proveAuditEntry',
      summary: 'An entry with the proof that it is in the log (RFC 9162 section 2.1.3)',
      access: auditors,
      params: inclusionParams,
      query: inclusionQuery,
      responses: { 200: { description: 'The entry and its proof.', schema: inclusionAnswer }, ...REFUSALS },
      async handler(context) {
        const { seq } = context.params;
        const body = await db.transaction(async (tx) => {
          const size = context.query.size ?? (await sealedSize(tx));
          const proof = await inclusionProof(tx, { index: seq, size });
          const root = await rootAt(tx, size);
          const sealed = await sealedEntry(tx, seq);
          if (sealed === undefined) {
            throw new DomainError(
              'log_damaged',
              `The audit log is damaged: the seal of entry ${seq} is missing. Verify it.`,
            );
          }
          await recordRead(tx, context, { proof: 'inclusion', seq, size });
          return {
            seq,
            size,
            leafHash: hex(sealed.leafHash),
            root: hex(root),
            proof: texts(proof),
            entry: sealed.entry,
            archivedIn: sealed.entry === null ? await archiveOf(tx, seq, sealed.entryId) : null,
          };
        });
        return { status: 200, body };
      },
    }),

    route({
      method: 'get',
      path: `${AUDIT_LOGS}/consistency`,
      name: 'proveAuditGrowth',
      summary: 'The proof that the log of a later size continues that of an earlier one (RFC 9162 section 2.1.4)',
      access: auditors,
      query: consistencyQuery,
      responses: { 200: { description: 'The proof.', schema: consistencyAnswer }, ...REFUSALS },
      async handler(context) {
        const { from, to } = context.query;
        const body = await db.transaction(async (tx) => {
          const proof = await consistencyProof(tx, { from, to });
          const [fromRoot, toRoot] = [await rootAt(tx, from), await rootAt(tx, to)];
          await recordRead(tx, context, { proof: 'consistency', from, to });
          return { from, to, fromRoot: hex(fromRoot), toRoot: hex(toRoot), proof: texts(proof) };
        });
        return { status: 200, body };
      },
    }),
  ];
}

const hex = (hash: Buffer): string => hash.toString('hex');
const texts = (proof: readonly Buffer[]): string[] => proof.map((hash) => hash.toString('base64'));
