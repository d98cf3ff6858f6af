import { dirname, join, resolve } from 'node:path';
import { createAuditLog } from '../db/audit.ts';
import { createImport } from '../db/import.ts';
import { openKeyring } from '../db/keyring.ts';
import { createOrm } from '../db/orm.ts';
import { loadConfig } from '../platform/config.ts';
import type { Endpoints } from '../platform/endpoints.ts';
import { readJsonFile } from '../platform/private-file.ts';
import { loadOrCreateSecrets, withSecrets } from '../platform/secrets.ts';
import { createTemporalClient, type TemporalClient } from '../temporal/connection.ts';
import { createEncryptedDataConverter } from '../temporal/data-converter.ts';
import { readTls } from '../temporal/tls.ts';
import { transactionLapse, transactionSubmitFactor, workflowIds } from '../workflows/contract.ts';
import { createApiClient } from './api-client.ts';

export interface InstanceLocation {
  /** Data folder of a running `tradeguard start`. */
  readonly dataDir: string;
  /** Its endpoints.json where that lies elsewhere. */
  readonly endpoints?: string;
}

/**
 * Connects to a running installation as its operator: the API as any client, the database and the keys for what an
 * import does beside it.
 *
 * @throws in a sentence when none runs there, or when it is production
 */
export async function openInstance(location: InstanceLocation, dataset: string) {
  const file = resolve(location.endpoints ?? join(location.dataDir, 'endpoints.json'));
  const endpoints = readJsonFile<Endpoints>(file);
  if (endpoints === undefined) {
    throw new Error(`${file} is missing: nothing runs there. Start it with: IMPORTER=1 npm start`);
  }
  const dataDir = dirname(file);
  const config = loadConfig({
    ...withSecrets(process.env, loadOrCreateSecrets(dataDir)),
    DATABASE_URL: endpoints.database,
    TEMPORAL_ADDRESS: endpoints.temporal,
    DATA_DIR: dataDir,
  });
  if (config.production)
    throw new Error('A replay would move money at the times its input names: never in production.');
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 4, applicationName: 'tradeguard-replay' });
  const api = createApiClient(endpoints.api);
  let temporal: TemporalClient | undefined;
  const close = async () => {
    api.close();
    await temporal?.close();
    await db.close();
  };
  try {
    const keyring = await openKeyring(db, config);
    const { client, ...connected } = createTemporalClient({
      address: config.temporalAddress,
      namespace: config.temporalNamespace,
      tls: readTls(config.temporalTls),
      identity: `replay:${process.pid}`,
      dataConverter: createEncryptedDataConverter(keyring, 'refuse'),
    });
    temporal = { client, ...connected };
    const imports = createImport({ db, keyring, audit: createAuditLog({ auditKey: config.auditKey }) }, dataset);
    return {
      dataDir,
      api,
      imports,
      /** Hands a recorded factor to the transaction's workflow, which applies it as any other. */
      async submitFactor(transactionId: string, attemptId: string): Promise<void> {
        await client.workflow
          .getHandle(workflowIds.transaction(transactionId))
          .executeUpdate(transactionSubmitFactor, { args: [attemptId], updateId: attemptId });
      },
      /** Virtual time has passed the step-up's deadline: the workflow does what its timer would make it do. */
      async lapse(transactionId: string): Promise<void> {
        await client.workflow.getHandle(workflowIds.transaction(transactionId)).signal(transactionLapse);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export type ReplayInstance = Awaited<ReturnType<typeof openInstance>>;
