import { InvalidArgumentError, Option } from 'commander';

export interface AuditFlags {
  readonly dataDir: string;
  readonly json?: boolean;
}

export const dataDirOption = () =>
  new Option('--data-dir <folder>', 'of an installation that runs on this machine').default(
    process.env.DATA_DIR || '.data',
  );

/** What an option takes that names an entry. @throws InvalidArgumentError */
export function sequenceNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write the number of an entry, from 0 on.');
  return number;
}

async function openAuditTools(flags: AuditFlags) {
  const [{ openCheckpointPublisher }, { createAuditLog }, { auditOrigin }, { createOrm }, { installationConfig }] =
    await Promise.all([
      import('../activities/open-checkpoints.ts'),
      import('../db/audit.ts'),
      import('../db/audit-search.ts'),
      import('../db/orm.ts'),
      import('./installation-config.ts'),
    ]);
  const config = installationConfig(flags.dataDir);
  const { auditKey, checkpoints: settings } = config;
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 3, applicationName: 'tradeguard-audit' });
  const audit = createAuditLog({ auditKey });
  return {
    config,
    db,
    audit,
    auditKey,
    publisher: openCheckpointPublisher({ db, audit, auditKey, settings, log: { info() {}, warn() {} } }),
    origin: () => auditOrigin(db.fork()),
    /** Says what came of it: as JSON, or in words. */
    tell: (result: unknown, sentence: string) => console.log(flags.json ? JSON.stringify(result) : sentence),
  };
}

export type AuditTools = Awaited<ReturnType<typeof openAuditTools>>;

/** What the commands of the audit log work with, for the time that `work` takes. @throws ConfigError */
export async function withAuditTools(flags: AuditFlags, work: (tools: AuditTools) => Promise<void>): Promise<void> {
  const tools = await openAuditTools(flags);
  try {
    await work(tools);
  } finally {
    await tools.db.close();
  }
}
