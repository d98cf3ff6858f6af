import { availableParallelism } from 'node:os';
import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError } from 'commander';
import type { PublishedEvidence } from '../db/audit-evidence.ts';
import type { Part } from '../db/audit-start.ts';
import type { Verification } from '../db/audit-verify.ts';
import { archiveOption, archivesOf } from './audit-archive.ts';
import { type AuditFlags, type AuditTools, dataDirOption, sequenceNumber, withAuditTools } from './audit-tools.ts';

interface Flags extends AuditFlags {
  readonly from?: number;
  readonly to?: number;
  readonly incremental?: boolean;
  readonly threads: number;
  readonly archive?: string[];
}

/** `tradeguard audit verify`: the whole log, a range of it, or what is new. */
export function registerAuditVerify(audit: Command): void {
  audit
    .command('verify')
    .description('recompute the log; exit status 0 when it is sound, 1 when it is not or cannot be read')
    .option('--from <seq>', 'first entry of a range', sequenceNumber)
    .option('--to <seq>', 'the entry behind its last', sequenceNumber)
    .option('--incremental', 'go on from the longest published checkpoint that earlier verifications covered')
    .option('--threads <n>', 'for a long log', threadCount, availableParallelism())
    .addOption(archiveOption())
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: Flags) => {
      assertPossible(flags);
      return withAuditTools(flags, (tools) => verify(flags, tools));
    });
}

function threadCount(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('Write a number from 1 to 99.');
  return Number(text);
}

function assertPossible({ from, to, incremental }: Flags): void {
  if (incremental && (from !== undefined || to !== undefined)) {
    throw new Error('--incremental finds its own start: leave --from and --to out, or --incremental.');
  }
  if (to !== undefined && (from ?? 0) >= to) {
    throw new Error(
      '--to is the entry behind the last one, and greater than --from: --from 0 --to 1 is the first entry.',
    );
  }
}

async function verify(flags: Flags, tools: AuditTools): Promise<void> {
  const { db, audit, auditKey, publisher, tell } = tools;
  const archives = await archivesOf(tools, flags.archive);
  const [{ createAuditVerifier }, { verifiedEvent }] = await Promise.all([
    import('../db/audit-verify.ts'),
    import('../db/audit-verified.ts'),
  ]);
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} entries | {rate}/s | ETA {eta_formatted}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  });
  const startedAt = new Date().toISOString();
  try {
    const published = await publisher.evidence();
    const part = await partOf(flags, { db, auditKeys: [auditKey] }, published);
    const started = performance.now();
    let isShown = false;
    const result = await createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      ...{ published, ...part, archives, threads: flags.threads },
      onProgress({ head, from, total }) {
        const done = head.seq + 1 - from;
        const rate = Math.round(done / ((performance.now() - started) / 1000));
        if (!isShown) bar.start(total - from, done, { rate });
        isShown = true;
        bar.update(done, { rate });
      },
    });
    bar.stop();
    tell(jsonOf(result), sentence(result, flags, archives.length));
    process.exitCode = result.valid ? 0 : 1;
    await db.transaction((tx) =>
      audit.append(tx, {
        ...verifiedEvent(result, startedAt),
        actor: { kind: 'operator' },
        subject: { kind: 'audit_log', id: 'command-line' },
      }),
    );
  } finally {
    bar.stop();
  }
}

async function partOf(
  { from = 0, to, incremental }: Flags,
  log: Pick<AuditTools, 'db'> & { auditKeys: AuditTools['auditKey'][] },
  published: PublishedEvidence,
): Promise<Part> {
  if (incremental) {
    const { incrementalBase } = await import('../db/audit-verified.ts');
    return { base: await incrementalBase(log, published) };
  }
  if (from === 0 && to === undefined) return {};
  const { sealedSize } = await import('../db/audit-tree.ts');
  const size = await sealedSize(log.db.fork());
  if (from >= size || (to ?? 0) > size) {
    throw new Error(`The log has ${size} sealed entries: --from is less than that, and --to at most that.`);
  }
  return { from, ...(to === undefined ? {} : { to }) };
}

function jsonOf({ head, ...result }: Verification) {
  const { valid, mode, from, to, checked, unsealed, archived, firstInvalidSeq, reason, checkpoints } = result;
  const headHash = head.hash.toString('hex');
  return { valid, mode, from, to, checked, unsealed, archived, firstInvalidSeq, reason, headHash, checkpoints };
}

function sentence(result: Verification, { incremental }: Flags, archives: number): string {
  const { valid, mode, from, to, checked, unsealed, archived, firstInvalidSeq, reason, head, checkpoints } = result;
  const read = archives > 0 ? ' (read from the folders of --archive, where these have them)' : '';
  const cold = archived === 0 ? '' : `, ${archived} of them in cold storage${read}`;
  const waiting = unsealed > 0 ? `, ${unsealed} more wait for their seal` : '';
  const span = mode === 'full' ? '' : ` (${from} to ${to - 1})`;
  const why =
    incremental && mode === 'full'
      ? ' There was no checkpoint to go on from, or the log before it is not what it says: everything was verified.'
      : '';
  if (valid) {
    const told = `${checkpoints} published ${checkpoints === 1 ? 'checkpoint agrees' : 'checkpoints agree'}`;
    return `Sound: ${checked} entries${span}${cold}${waiting}; ${told}. Head ${head.hash.toString('hex')}.${why}`;
  }
  const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
  const since = mode === 'full' ? 'before it' : `from ${from} on`;
  return `NOT SOUND: ${reason}${place}. ${checked} entries ${since} are as they were written${cold}${waiting}.${why}`;
}
