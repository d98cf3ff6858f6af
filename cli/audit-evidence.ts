import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { EvidenceBundle } from '../activities/evidence-bundle.ts';
import { EVIDENCE_WINDOW_HOURS, MAX_EVIDENCE_WINDOW_HOURS } from '../domain/evidence.ts';
import { withProgress } from './audit-progress.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

interface Flags extends AuditFlags {
  readonly incident: string;
  readonly out: string;
  readonly windowHours: number;
}

/** One statement finds the entries: there is nothing to follow. */
const PHASES = { select: null, seal: 'sealed  ', verify: 'verified', prove: 'proved  ' } as const;

/** `tradeguard audit evidence`: what the log holds about an incident, for `tradeguard-verify`. */
export function registerAuditEvidence(audit: Command): void {
  audit
    .command('evidence')
    .description('gather the evidence of an incident for an auditor; exit status 1 when the log is not sound')
    .requiredOption('--incident <id>', 'its id', incidentId)
    .requiredOption('--out <path>', 'a folder, or one file where it ends with .json.gz; must not exist yet')
    .option('--window-hours <hours>', 'how long before the incident', windowHours, EVIDENCE_WINDOW_HOURS)
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: Flags) => withAuditTools(flags, (tools) => run(flags, tools)));
}

async function run(flags: Flags, { db, audit, auditKey, publisher, tell }: AuditTools): Promise<void> {
  const [
    { createEvidenceMaker },
    { assertFree, writeBundle },
    { evidenceCreated },
    { ExportError },
    { isDomainError },
  ] = await Promise.all([
    import('../activities/evidence-bundle.ts'),
    import('../activities/evidence-files.ts'),
    import('../activities/evidence-event.ts'),
    import('../activities/export-files.ts'),
    import('../domain/errors.ts'),
  ]);
  const out = resolve(flags.out);
  const bundleId = randomUUID();
  await withProgress(
    {
      phases: PHASES,
      stopped: 'The evidence was not gathered; nothing is left of it.',
      refusal: (error) =>
        isDomainError(error) ? error.detail : error instanceof ExportError ? error.message : undefined,
    },
    async ({ signal, onProgress, endBar }) => {
      await assertFree(out);
      const bundle = await createEvidenceMaker({ db, auditKey, publisher }).make({
        ...{ bundleId, incidentId: flags.incident, windowHours: flags.windowHours },
        ...{ threads: availableParallelism(), signal, onProgress },
      });
      endBar();
      await writeBundle(out, bundle, async () => {
        signal.throwIfAborted();
        await db.transaction((tx) =>
          audit.append(tx, {
            ...evidenceCreated(bundle, { bundleId, sha256: null }),
            actor: { kind: 'operator' },
          }),
        );
      });
      tell(jsonOf(bundle, bundleId), sentencesOf(bundle, flags.out));
      process.exitCode = bundle.verification.valid ? 0 : 1;
    },
  );
}

function incidentId(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError('Write the id of an incident.');
  }
  return text.toLowerCase();
}

function windowHours(text: string): number {
  const hours = Number(text);
  if (!/^\d{1,3}$/.test(text) || hours < 1 || hours > MAX_EVIDENCE_WINDOW_HOURS) {
    throw new InvalidArgumentError(`Write hours, 1 to ${MAX_EVIDENCE_WINDOW_HOURS}.`);
  }
  return hours;
}

function jsonOf(bundle: EvidenceBundle, bundleId: string) {
  const { incidentId, entries, found, pending, checkpoint, manifestSha256, verifierKey, verification } = bundle;
  const { valid, firstInvalidSeq, reason } = verification;
  return {
    ...{ bundleId, incidentId, entries, found, pending, checkpoint, valid, firstInvalidSeq, reason },
    ...{ manifestSha256, verifierKey },
  };
}

function sentencesOf(bundle: EvidenceBundle, out: string): string {
  const { entries, found, pending, checkpoint, verification, verifierKey } = bundle;
  const { valid, reason, firstInvalidSeq } = verification;
  const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
  const verdict = valid ? 'Sound.' : `NOT SOUND: ${reason}${place}. The manifest says so, signed.`;
  const proof = checkpoint === null ? 'no published checkpoint goes together with the log' : `checkpoint ${checkpoint}`;
  return [
    `${verdict} ${entries} entries are in ${out}, proved by ${proof}.`,
    ...(found > entries + pending ? [`${found} entries belong to the incident: the nearest to it were taken.`] : []),
    ...(pending > 0 ? [`${pending} entries had no seal, so nothing proves them.`] : []),
    `Verify it with: tradeguard-verify ${out} --key '${verifierKey}'`,
  ].join('\n');
}
