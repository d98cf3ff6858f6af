import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Archived } from '../activities/audit-archive.ts';
import type { ColdRequest, Phase } from '../activities/cold-work.ts';
import type { Database } from '../db/orm.ts';
import type { ColdMonth } from '../domain/cold-month.ts';
import { withProgress } from './audit-progress.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

/** A month of ten million entries is read for minutes by one statement. */
const STATEMENT_TIMEOUT_MS = 3_600_000;

/** `tradeguard audit archive` and `restore-month`: months of the log go to cold storage, and come back. */
export function registerAuditArchive(audit: Command): void {
  audit
    .command('archive')
    .description('write an old month into a folder, verified, and take its entries out of the database; as the owner')
    .requiredOption('--month <YYYY-MM>', '`past`: everything from before the log had months', monthName)
    .requiredOption('--out <folder>', 'is made; one that an interrupted run finished is gone on with')
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: AuditFlags & { month: string; out: string }) =>
      withOwner(flags, async (tools, owner) => {
        const { createAuditArchive } = await import('../activities/audit-archive.ts');
        await watched(flags.out, async (request) => {
          const done = await createAuditArchive({ ...tools, owner }).archive({ month: flags.month, ...request });
          tools.tell(done, archivedSentence(done, flags.out));
        });
      }),
    );
  audit
    .command('archives')
    .description('what is in cold storage: months, the SHA-256 of the manifests of their folders, entries')
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: AuditFlags) => withAuditTools(flags, list));
  audit
    .command('restore-month')
    .description('bring a month back from its archive folder, verified, entry by entry as it was; as the owner')
    .requiredOption('--from <folder>', 'as `tradeguard audit archive` wrote it')
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: AuditFlags & { from: string }) =>
      withOwner(flags, async (tools, owner) => {
        const { createMonthRestore } = await import('../activities/restore-month.ts');
        await watched(flags.from, async (request) => {
          const month = await createMonthRestore({ ...tools, owner }).restore(request);
          tools.tell(
            month,
            `${month.month} is in the database again: ${entriesOf(month)}. The folder may stay where it is.`,
          );
        });
      }),
    );
}

/** What is in cold storage, as the log's own records say. */
async function list({ db, auditKey, tell }: AuditTools): Promise<void> {
  const [{ coldStorage }, { createHmacCheck }] = await Promise.all([
    import('../db/cold-storage.ts'),
    import('../security/sha256.ts'),
  ]);
  const { months } = await coldStorage(db.fork(), createHmacCheck(auditKey));
  const lines = months.map((month) => `${month.month}  ${month.manifestSha256}  ${entriesOf(month)}`);
  tell({ items: months }, lines.length > 0 ? lines.join('\n') : 'Nothing is in cold storage.');
}

/** `--archive FOLDER`, for commands that read entries in cold storage. */
export const archiveOption = () =>
  new Option('--archive <folder...>', 'archive folders of months in cold storage, to read their entries from');

/** Opens the folders of {@link archiveOption}. @throws ArchiveError */
export async function archivesOf({ db, auditKey, publisher }: AuditTools, folders: readonly string[] | undefined) {
  if (folders === undefined) return [];
  const { openArchives } = await import('../activities/archive-folder.ts');
  const { signer } = publisher;
  return openArchives(
    { db, auditKey, signer },
    folders.map((folder) => resolve(folder)),
  );
}

async function withOwner(
  flags: AuditFlags,
  work: (tools: AuditTools, owner: Database) => Promise<void>,
): Promise<void> {
  await withAuditTools(flags, async (tools) => {
    const { databaseOwnerUrl } = tools.config;
    if (databaseOwnerUrl === undefined) {
      throw new Error(
        'DATABASE_OWNER_URL is not set: months are taken out and brought back by the owner of the tables, which the ' +
          "application's role is not.",
      );
    }
    const { createOrm } = await import('../db/orm.ts');
    const owner = await createOrm({
      ...{ databaseUrl: databaseOwnerUrl, poolMax: 2, applicationName: 'tradeguard-archive' },
      limits: { kept: 0, acquireTimeout: 10_000, idleTimeout: 30_000, statementTimeout: STATEMENT_TIMEOUT_MS },
    });
    try {
      await work(tools, owner);
    } finally {
      await owner.close();
    }
  });
}

const PHASES: Readonly<Record<Phase, string>> = {
  verify: 'verified',
  write: 'written ',
  check: 'compared',
  load: 'loaded  ',
  wait: 'waiting ',
};

/** Runs a command of cold storage with progress; Ctrl-C ends it before the database is changed. */
async function watched(folder: string, work: (request: ColdRequest) => Promise<void>): Promise<void> {
  const { ArchiveError } = await import('../activities/archive-folder.ts');
  await withProgress(
    {
      phases: PHASES,
      stopped: 'Stopped; the database is as it was. A finished folder is gone on with by the next run.',
      refusal: (error) => (error instanceof ArchiveError ? error.message : undefined),
    },
    ({ signal, onProgress }) => work({ dir: resolve(folder), threads: availableParallelism(), signal, onProgress }),
  );
}

function monthName(text: string): string {
  if (!/^(\d{4}-(0[1-9]|1[0-2])|past)$/.test(text)) {
    throw new InvalidArgumentError('Write a month as 2026-07, or `past`.');
  }
  return text;
}

const entriesOf = ({ entries, from, to }: ColdMonth) => `${entries} entries (of ${from} to ${to - 1})`;

function archivedSentence(month: Archived, out: string): string {
  const first = month.already
    ? `${month.month} is in cold storage already: ${entriesOf(month)}.`
    : `${month.month} is in cold storage: ${entriesOf(month)} are in ${out} and no longer in the database.`;
  return [
    first,
    `Keep that folder for ever, in two places: nothing else has these entries. Manifest SHA-256 ${month.manifestSha256}.`,
    `Verify with: tradeguard audit verify --archive ${out}`,
  ].join('\n');
}
