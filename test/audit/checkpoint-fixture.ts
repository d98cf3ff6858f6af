import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCheckpointPublisher, type PublisherDeps } from '../../activities/checkpoint-publisher.ts';
import { createCheckpointSigner } from '../../activities/checkpoint-signer.ts';
import { createCheckpointWitness } from '../../activities/checkpoint-witness.ts';
import { rows } from '../../db/sql.ts';
import { createCheckpointFolder } from '../../platform/checkpoint-folder.ts';
import { createLog } from './log-fixture.ts';

const quiet = { info: () => {}, warn: () => {} };

/** An audit log whose checkpoints are published to a folder of its own. */
export async function createPublishedLog() {
  const log = await createLog();
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-checkpoints-'));
  const signer = createCheckpointSigner({ auditKey: log.auditKey, key: undefined, retiredKeys: [] });
  const place = createCheckpointFolder(folder);
  const deps: PublisherDeps = {
    ...{ db: log.db, audit: log.audit, signer, places: [place], witness: null, log: quiet },
  };
  const publisherWith = (changed: Partial<PublisherDeps> = {}) => createCheckpointPublisher({ ...deps, ...changed });
  const publisher = publisherWith();

  return {
    ...log,
    folder,
    place,
    signer,
    deps,
    publisher,
    publisherWith,
    witnessOf: (settings: { url: string; key: string }) =>
      createCheckpointWitness({ settings, db: log.db, log: quiet }),

    /** Appends, seals and publishes. */
    async grow(...labels: unknown[]) {
      await log.append(...labels);
      await log.seal();
      return publisher.publish({ trigger: 'schedule' });
    },

    async origin(): Promise<string> {
      const [found] = await rows<{ origin: string }>(log.db.fork(), 'select origin from audit_log_origin');
      return found?.origin ?? '';
    },

    recorded: () =>
      rows<{ fork: number; size: string; trigger: string; witness: string; places: Record<string, string | null> }>(
        log.db.fork(),
        'select fork, size, trigger, witness, places from audit_checkpoint order by fork, size',
      ),

    entriesOf: async (action: string) =>
      (
        await rows<{ entry: string }>(log.db.fork(), 'select entry from audit_entry where action = $1 order by at', [
          action,
        ])
      ).map(({ entry }) => JSON.parse(entry).details),

    /** Canonical texts in the order of the chain. */
    entryTexts: async () =>
      (
        await rows<{ entry: string }>(
          log.db.fork(),
          'select e.entry from audit_seal s join audit_entry e on e.id = s.entry_id order by s.seq',
        )
      ).map(({ entry }) => entry),

    async asOwner(statement: string): Promise<void> {
      const client = await log.connect(log.ownerUrl);
      await client.query(statement);
      await client.end();
    },

    async close(): Promise<void> {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type PublishedLog = Awaited<ReturnType<typeof createPublishedLog>>;

/** `0000-...`: the name of a published checkpoint. */
export const nameOf = (fork: number, size: number): string =>
  `${String(fork).padStart(4, '0')}-${String(size).padStart(20, '0')}.txt`;
