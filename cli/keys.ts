import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { KeyRotationRow, RotationScope } from '../db/key-rotations.ts';

interface Flags {
  readonly dataDir: string;
  readonly json?: boolean;
}

/** `tradeguard keys ...`: for an operator who reaches the database; no key is ever printed. */
export function registerKeys(program: Command): void {
  const keys = program.command('keys').description('keys: list, renew, import from an older system');
  const command = (usage: string, description: string) =>
    keys
      .command(usage)
      .description(description)
      .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
      .option('--json', 'print JSON');

  command('list', 'generations of every key, and the age of secrets that only outsiders can change').action(list);
  command('rotate', 'renew keys now, and re-encrypt every field; a running installation notices nothing')
    .addOption(new Option('--scope <scope>', 'what is renewed').choices(['all', 'field', 'session']).default('all'))
    .action(rotate);
  command('import-fernet <file>', 'take in personal data that an older system encrypted with Fernet (CSV or NDJSON)')
    .option('--key-file <path>', 'Fernet keys, one a line; without it the variable FERNET_KEYS')
    .option('--overwrite', 'replace values that are there already')
    .action(importFernet);
}

async function openTools(flags: Flags) {
  const [{ createOrm }, { createAuditLog }, { openKeyring }, { installationConfig }] = await Promise.all([
    import('../db/orm.ts'),
    import('../db/audit.ts'),
    import('../db/keyring.ts'),
    import('./installation-config.ts'),
  ]);
  const config = installationConfig(flags.dataDir);
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 2, applicationName: 'tradeguard-keys' });
  try {
    const audit = createAuditLog({ auditKey: config.auditKey });
    return { config, db, audit, keyring: await openKeyring(db, config) };
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function list(flags: Flags): Promise<void> {
  const { db } = await openTools(flags);
  try {
    const [{ listGenerations }, { listOutsideSecrets }] = await Promise.all([
      import('../db/key-rotations.ts'),
      import('../db/outside-secrets.ts'),
    ]);
    const found = { keys: await listGenerations(db.fork()), secrets: await listOutsideSecrets(db.fork()) };
    if (flags.json) return void console.log(JSON.stringify(found, null, 2));
    for (const { purpose, version, state, keyId, createdAt } of found.keys) {
      console.log(`${purpose.padEnd(16)}  ${String(version).padStart(3)}  ${state.padEnd(7)}  ${keyId}  ${createdAt}`);
    }
    for (const { name, ageDays } of found.secrets) console.log(`${name} is ${ageDays} day(s) old`);
  } finally {
    await db.close();
  }
}

/** Starts the workflow and shows its row until it has ended: interrupting this command stops nothing. */
async function rotate(flags: Flags & { scope: RotationScope }): Promise<void> {
  const { config, db, keyring } = await openTools(flags);
  const [
    { createTemporalClient },
    { createEncryptedDataConverter },
    { readTls },
    { keyRotationPace, taskQueues, workflowIds },
    { rotationById },
    { uuidV7 },
  ] = await Promise.all([
    import('../temporal/connection.ts'),
    import('../temporal/data-converter.ts'),
    import('../temporal/tls.ts'),
    import('../workflows/contract.ts'),
    import('../db/key-rotations.ts'),
    import('../security/uuid.ts'),
  ]);
  const temporal = createTemporalClient({
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    tls: readTls(config.temporalTls),
    identity: 'tradeguard-keys',
    dataConverter: createEncryptedDataConverter(keyring, 'refuse'),
  });
  try {
    const rotationId = uuidV7();
    const queues = taskQueues(config.taskQueuePrefix);
    const handle = await temporal.client.workflow.start('keyRotation', {
      workflowId: workflowIds.keyRotation(rotationId),
      taskQueue: queues.background,
      args: [{ rotationId, trigger: 'cli', scope: flags.scope, requestedBy: null, queues, ...keyRotationPace }],
      staticSummary: 'Key rotation',
    });
    let shown: KeyRotationRow | undefined;
    while (shown === undefined || shown.status === 'running') {
      await sleep(500);
      shown = await rotationById(db.fork(), rotationId);
      const hasEnded = (await handle.describe()).status.name !== 'RUNNING';
      if (shown === undefined && hasEnded) throw new Error('Another rotation is running: see `tradeguard keys list`.');
      if (!flags.json && shown?.fields_total) {
        process.stderr.write(`\r${shown.fields_done} of ${shown.fields_total} fields re-encrypted`);
      }
    }
    if (!flags.json) process.stderr.write('\n');
    console.log(flags.json ? JSON.stringify(shown) : sentence(shown));
    process.exitCode = shown.status === 'succeeded' ? 0 : 1;
  } finally {
    await temporal.close();
    await db.close();
  }
}

function sentence({ status, fields_done, fields_unreadable, reason }: KeyRotationRow): string {
  if (status !== 'succeeded') return `The rotation ${status === 'failed' ? `failed: ${reason}` : 'was cancelled'}.`;
  const altered = fields_unreadable === '0' ? '' : ` ${fields_unreadable} do not open: see the incident.`;
  return `New keys are in use; ${fields_done} fields were re-encrypted.${altered} Old keys are dropped when nothing needs them.`;
}

async function importFernet(file: string, flags: Flags & { keyFile?: string; overwrite?: boolean }): Promise<void> {
  const [{ readFernetFile, readFernetKeys }, { createFernetImport }, { createFernet }] = await Promise.all([
    import('./fernet-file.ts'),
    import('../db/fernet-import.ts'),
    import('../security/fernet.ts'),
  ]);
  const fernets = readFernetKeys(flags.keyFile, process.env).map(createFernet);
  const { db, keyring, audit } = await openTools(flags);
  try {
    const importer = createFernetImport({ db, keyring, audit, fernets });
    const total = { imported: 0, unchanged: 0, failed: 0 };
    for await (const { line, row } of readFernetFile(file)) {
      const result =
        row === undefined
          ? { status: 'failed' as const, field: 'line', code: 'invalid' as const }
          : await importer.importRow(row, { overwrite: flags.overwrite === true });
      total[result.status] += 1;
      if (result.status === 'failed') console.error(`line ${line}: ${result.field}: ${result.code}`);
    }
    await audit.append(db.fork(), {
      action: 'fernet.imported',
      actor: { kind: 'operator' },
      subject: { kind: 'fernet_file', id: 'command-line' },
      outcome: total.failed === 0 ? 'success' : 'failure',
      details: { ...total, overwrite: flags.overwrite === true },
    });
    console.log(
      flags.json
        ? JSON.stringify(total)
        : `${total.imported} imported, ${total.unchanged} there already, ${total.failed} failed.`,
    );
    process.exitCode = total.failed === 0 ? 0 : 1;
  } finally {
    await db.close();
  }
}
