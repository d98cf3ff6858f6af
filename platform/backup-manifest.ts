import { z } from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().nonnegative();

/** What is known of a backup beside its file: written last, so a backup without one does not exist. */
export const backupManifestSchema = z.strictObject({
  format: z.literal('tradeguard-backup/v1'),
  id: z.uuid(),
  /** RFC 3339: the moment whose state the backup holds. */
  createdAt: z.iso.datetime(),
  /** Names the installation: the origin of its audit log. */
  origin: z.string().max(300),
  postgres: z.strictObject({ server: z.string().max(40), dump: z.string().max(40) }),
  file: z.strictObject({
    /** Without folder. */
    name: z.string().regex(/^[0-9a-f-]{36}\.[0-9a-f]{8}\.backup$/),
    bytes,
    sha256,
    compression: z.literal('gzip'),
    encryption: z.literal('AES-256-GCM-STREAM-64K'),
  }),
  /** The archive of pg_dump in custom format, before compression. */
  dump: z.strictObject({ bytes, sha256 }),
  /** Rows of every table, counted in the snapshot that was dumped. */
  tables: z.record(z.string().max(80), z.number().int().nonnegative()),
  /** The end of the audit chain in that snapshot; seq -1 for an empty one. */
  audit: z.strictObject({ seq: z.number().int().min(-1), hash: z.string().max(64) }),
  migrations: z.array(z.string().max(100)),
  /** The data key, wrapped under the master key. */
  key: z.strictObject({
    salt: z.string().max(64).optional(),
    iterations: z.number().int().optional(),
    wrapped: z.string().max(128),
  }),
  /** Hex HMAC-SHA256 under the data key, of the canonical JSON of all the rest. */
  mac: sha256,
});

export type BackupManifest = z.output<typeof backupManifestSchema>;

/** Reads a manifest's text. Undefined when it is none; whether it is genuine only its MAC tells. */
export function parseManifest(text: string): BackupManifest | undefined {
  try {
    return backupManifestSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
