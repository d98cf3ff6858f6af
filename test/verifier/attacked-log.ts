import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { parseVerifierKey } from '../../verifier/note.ts';
import { type VerifyOptions, verify } from '../../verifier/verify.ts';
import { AUDIT_KEY, checkpoint, type ExportOptions, log, type Row, signer, writeExport } from './export-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tradeguard-verifier-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let exports = 0;

export const WITH_KEY = { auditKeys: [AUDIT_KEY.toString('base64')] };
export const published = (rows: readonly Row[], ...sizes: number[]) => sizes.map((size) => checkpoint(rows, size));

/** What the verifier says of an honest export of these rows, with the right key pinned. */
export async function verdictOn(rows: readonly Row[], options: ExportOptions = {}, over: Partial<VerifyOptions> = {}) {
  exports += 1;
  const dir = writeExport(join(folder, String(exports)), rows, options);
  const pinned = [parseVerifierKey(signer().vkey)].filter((key) => key !== null);
  return verify({ dirs: [dir], pinned, auditKeys: [], checkpoints: null, threads: 1, ...over });
}

export const LENGTH = 40;
/** What was published before the attack: also in the folder that the auditor is given. */
export const before = log(LENGTH);
export const SIZES = [1, 8, 13, 32, 40];
export const checkpoints = published(before, ...SIZES);

/** Of a log that was attacked after these checkpoints. */
export async function attacked(
  attack: (rows: Row[]) => void,
  over: Partial<VerifyOptions> = {},
  options: ExportOptions = {},
) {
  const rows = log(LENGTH);
  attack(rows);
  const verdict = await verdictOn(rows, { checkpoints, ...options }, over);
  expect(verdict.verdict).toBe('not_sound');
  return { reason: verdict.reason, seq: verdict.firstInvalidSeq, all: verdict.findings };
}
export const at = (rows: Row[], seq: number): Row => rows[seq] as Row;
