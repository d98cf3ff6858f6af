import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import type { Database } from '../db/orm.ts';
import type { CheckpointSettings } from '../platform/checkpoint-config.ts';
import { openCheckpointPlaces } from './checkpoint-places.ts';
import { type CheckpointPublisher, createCheckpointPublisher } from './checkpoint-publisher.ts';
import { createCheckpointSigner } from './checkpoint-signer.ts';
import { createCheckpointWitness } from './checkpoint-witness.ts';

/** The publisher that the configuration describes. @throws when a verifier key in it is none */
export function openCheckpointPublisher({
  db,
  audit,
  auditKey,
  settings,
  log,
}: {
  db: Database;
  audit: AuditLog;
  auditKey: KeyObject;
  settings: CheckpointSettings;
  log: Pick<Logger, 'info' | 'warn'>;
}): CheckpointPublisher {
  const { key, retiredKeys, witness } = settings;
  return createCheckpointPublisher({
    db,
    audit,
    signer: createCheckpointSigner({ auditKey, key, retiredKeys }),
    places: openCheckpointPlaces(settings),
    witness: witness ? createCheckpointWitness({ settings: witness, db, log }) : null,
    log,
  });
}
