import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { EPHEMERAL_TABLES, openSnapshot, serverVersion } from '../db/backup-census.ts';
import { BackupError, type BackupPhase } from '../domain/backup.ts';
import type { BackupCopy } from '../platform/backup-copy.ts';
import type { BackupManifest } from '../platform/backup-manifest.ts';
import type { BackupStore } from '../platform/backup-store.ts';
import { type PostgresChild, startPostgresChild } from '../platform/postgres-child.ts';
import { findPostgresTools } from '../platform/postgres-tools.ts';
import { createBackupKey, openBackup, openBackupKey, sealBackup } from '../security/backup-encryption.ts';
import { canonicalJson } from '../security/canonical-json.ts';
import type { Kek } from '../security/kek.ts';
import { backupErrorOf, lenient, meter, reached, settled } from './backup-streams.ts';

export interface ArchiveDeps {
  store: BackupStore;
  /** The second place; null where none is configured. */
  copy: BackupCopy | null;
  /** The master key-encryption key. */
  kek: Kek;
  /** Folders of pg_dump and pg_restore; undefined to look everywhere. */
  toolFolders: readonly string[] | undefined;
}

/** Called with the bytes of the dump that were handled so far. */
export type OnProgress = (phase: BackupPhase, bytes: number) => void;

export interface RestoreTarget {
  url: string;
  /** All or nothing: an error leaves the target as it was. */
  singleTransaction: boolean;
}

/** Writes, reads and restores backups. Nothing of a dump ever lies on a disk in the clear. */
export function createBackupArchive({ store, copy, kek, toolFolders }: ArchiveDeps) {
  const toolsFor = (serverMajor: number) =>
    findPostgresTools({ serverMajor, ...(toolFolders === undefined ? {} : { folders: toolFolders }) });

  /**
   * Dumps a database into the folder: one snapshot is counted and dumped, compressed with gzip, encrypted, written, read
   * back, and only then listed. A repeat with the same id finds the finished backup.
   *
   * @throws BackupError
   */
  async function write(
    id: string,
    sourceUrl: string,
    { onProgress, signal }: { onProgress: OnProgress; signal: AbortSignal },
  ): Promise<BackupManifest> {
    const finished = await store.read(id);
    if (finished) return finished;
    const server = await reached(() => serverVersion(sourceUrl), 'dump_failed');
    const tools = toolsFor(server.major);
    const snapshot = await reached(() => openSnapshot(sourceUrl, signal), 'dump_failed');
    try {
      const { census } = snapshot;
      const key = await createBackupKey(kek, id);
      const draft = await store.draft(id);
      try {
        const dump = startPostgresChild({
          command: tools.pgDump,
          args: [
            ...['--format=custom', '--compress=0', `--snapshot=${snapshot.id}`, '--lock-wait-timeout=30000'],
            `--exclude-table=public.${EPHEMERAL_TABLES}`,
          ],
          url: sourceUrl,
          signal,
        });
        dump.stdin.end();
        const plain = meter((bytes) => onProgress('dump', bytes));
        const file = meter();
        await settled(
          dump,
          pipeline(
            dump.stdout,
            plain.stream,
            createGzip(),
            (source: AsyncIterable<Uint8Array>) => sealBackup(key, source),
            file.stream,
            draft.stream,
            { signal },
          ),
        );
        const unsigned = {
          format: 'tradeguard-backup/v1' as const,
          id,
          createdAt: census.at,
          origin: census.origin,
          postgres: { server: census.serverVersion, dump: tools.version },
          file: {
            name: draft.name,
            ...file.result(),
            compression: 'gzip' as const,
            encryption: 'AES-256-GCM-STREAM-64K' as const,
          },
          dump: plain.result(),
          tables: census.tables,
          audit: census.audit,
          migrations: census.migrations,
          key: key.record,
        };
        const manifest = { ...unsigned, mac: key.manifestMac(canonicalJson(unsigned)).toString('hex') };
        await validate(manifest, { onProgress, signal });
        return await draft.commit(manifest);
      } catch (error) {
        draft.stream.destroy();
        await draft.discard();
        throw backupErrorOf(error, 'dump_failed');
      }
    } finally {
      await snapshot.close().catch(() => {});
    }
  }

  /**
   * Reads a backup of the folder from the first byte to the last: hashes, decryption, decompression, and `pg_restore`
   * which reads the whole archive (its list of contents alone would prove nothing about the data).
   *
   * @throws BackupError `validation_failed`, `backup_corrupt`, `wrong_key`
   */
  async function validate(
    manifest: BackupManifest,
    { onProgress, signal }: { onProgress: OnProgress; signal: AbortSignal },
  ): Promise<void> {
    try {
      await verifyManifest(manifest);
      const tools = toolsFor(Number.parseInt(manifest.postgres.server, 10));
      const reader = startPostgresChild({ command: tools.pgRestore, args: ['--file=/dev/null'], signal });
      await settled(
        reader,
        feed(manifest, store.openFile(manifest), reader, (n) => onProgress('validate', n), signal),
      );
    } catch (error) {
      throw backupErrorOf(error, 'validation_failed');
    }
  }

  /** @throws BackupError `wrong_key`, or `backup_corrupt` for a manifest that the writer of the backup did not sign */
  async function verifyManifest(manifest: BackupManifest): Promise<void> {
    const { mac, ...unsigned } = manifest;
    const key = await openBackupKey(kek, manifest.id, recordOf(manifest)).catch((error) => {
      throw backupErrorOf(error, 'validation_failed');
    });
    if (key.manifestMac(canonicalJson(unsigned)).toString('hex') !== mac) {
      throw new BackupError('backup_corrupt', `the manifest of backup ${manifest.id} was altered`);
    }
  }

  /** Decrypted and decompressed, every hash checked, into a program's input. */
  async function feed(
    manifest: BackupManifest,
    encrypted: Readable,
    reader: PostgresChild,
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const file = meter();
    const plain = meter(onBytes);
    reader.stdout.resume();
    await pipeline(
      encrypted,
      file.stream,
      (source: AsyncIterable<Uint8Array>) => openBackup(kek, manifest.id, source, manifest.key.wrapped),
      createGunzip(),
      plain.stream,
      // The program may end its input when it has read what it needs: the rest is still to be verified.
      lenient(reader),
      { signal },
    );
    const [read, unpacked] = [file.result(), plain.result()];
    if (read.bytes !== manifest.file.bytes || read.sha256 !== manifest.file.sha256) {
      throw new BackupError('backup_corrupt', `the file of backup ${manifest.id} is not the one its manifest names`);
    }
    if (unpacked.bytes !== manifest.dump.bytes || unpacked.sha256 !== manifest.dump.sha256) {
      throw new BackupError('backup_corrupt', `the dump in backup ${manifest.id} is not the one its manifest names`);
    }
  }

  /** A backup by its id, from the folder, else from the copy. @throws BackupError `backup_missing` */
  async function locate(id: string): Promise<{ manifest: BackupManifest; open: () => Promise<Readable> }> {
    const local = await store.read(id);
    if (local && (await store.has(local))) return { manifest: local, open: async () => store.openFile(local) };
    const remote = await reached(async () => copy?.read(id), 'copy_failed');
    if (copy && remote) {
      return {
        manifest: remote,
        async open() {
          const stream = await copy.openFile(remote);
          if (stream === undefined) throw new BackupError('backup_missing', `the copy has no file of backup ${id}`);
          return stream;
        },
      };
    }
    const places = copy ? `neither ${store.directory} nor the copy has` : `${store.directory} has not`;
    throw new BackupError('backup_missing', `${places} a whole backup ${id}`);
  }

  /**
   * Restores a backup into an existing, empty database. Owners and grants are not taken over: everything belongs to the
   * role of the URL, and what the application may do is granted afterwards.
   *
   * @throws BackupError
   */
  async function restore(
    id: string,
    target: RestoreTarget,
    { onProgress, signal }: { onProgress: (bytes: number) => void; signal: AbortSignal },
  ): Promise<BackupManifest> {
    try {
      const { manifest, open } = await locate(id);
      await verifyManifest(manifest);
      const server = await serverVersion(target.url);
      const tools = toolsFor(Math.max(server.major, Number.parseInt(manifest.postgres.dump, 10)));
      const reader = startPostgresChild({
        command: tools.pgRestore,
        args: [
          ...['--no-owner', '--no-privileges', '--exit-on-error'],
          ...(target.singleTransaction ? ['--single-transaction'] : []),
        ],
        url: target.url,
        signal,
      });
      await settled(reader, feed(manifest, await open(), reader, onProgress, signal));
      return manifest;
    } catch (error) {
      throw backupErrorOf(error, 'restore_failed');
    }
  }

  return { write, validate, verifyManifest, locate, restore, toolsFor };
}

export type BackupArchive = ReturnType<typeof createBackupArchive>;

function recordOf({ key }: BackupManifest) {
  const { salt, iterations, wrapped } = key;
  return { wrapped, ...(salt === undefined ? {} : { salt }), ...(iterations === undefined ? {} : { iterations }) };
}
