import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reportRefusal } from '../../activities/checkpoint-incident.ts';
import { readPublished } from '../../activities/checkpoint-places.ts';
import type { Refusal } from '../../activities/checkpoint-publisher.ts';
import { createCheckpointSigner } from '../../activities/checkpoint-signer.ts';
import { checkpointHealth } from '../../db/audit-checkpoints.ts';
import { headAt, rootAt } from '../../db/audit-tree.ts';
import { row } from '../../db/sql.ts';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { openCheckpoint, signCheckpoint } from '../../security/checkpoint.ts';
import { parseVerifierKey } from '../../security/signed-note.ts';
import { createPublishedLog, nameOf, type PublishedLog } from './checkpoint-fixture.ts';

let log: PublishedLog;
beforeEach(async () => {
  log = await createPublishedLog();
});
afterEach(() => log.close());

const published = () => readdirSync(log.folder).sort();

describe('a published checkpoint', () => {
  it('says how long the log is, its root and its head, signed by the key that auditors pin', async () => {
    const outcome = await log.grow(1, 2, 3);
    expect(outcome).toMatchObject({ status: 'published', places: { folder: null }, witness: 'none' });
    const origin = await log.origin();
    const note = readFileSync(join(log.folder, nameOf(0, 3)), 'utf8');
    const checkpoint = openCheckpoint(note, [parseVerifierKey(log.signer.verifierKey(origin))]);
    expect(checkpoint).toEqual({
      ...{ origin, size: 3, fork: 0, restored: null },
      root: await rootAt(log.db.fork(), 3),
      head: await headAt(log.db.fork(), 3),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    // What the head is was written down by the sealer; here it is computed from the texts.
    const texts = await log.entryTexts();
    expect(checkpoint.head).toEqual(texts.reduce<Buffer>(chainHash, genesisHash(origin)));
    expect(statSync(join(log.folder, nameOf(0, 3))).mode & 0o777).toBe(0o444);
  });

  it('is recorded, and its entry is in the log', async () => {
    await log.grow(1, 2);
    expect(await log.recorded()).toEqual([
      { fork: 0, size: '2', trigger: 'schedule', witness: 'none', places: { folder: null } },
    ]);
    expect(await log.entriesOf('audit.checkpoint_published')).toMatchObject([
      { fork: 0, size: 2, root: (await rootAt(log.db.fork(), 2)).toString('hex'), trigger: 'schedule' },
    ]);
  });

  it('follows only when something but records of checkpoints was sealed', async () => {
    expect(await log.publisher.publish({ trigger: 'schedule' })).toEqual({ status: 'unchanged', name: null });
    await log.grow(1);
    await log.seal();
    expect(await log.publisher.publish({ trigger: 'schedule' })).toEqual({ status: 'unchanged', name: nameOf(0, 1) });
    // What has to be covered is, whatever it is.
    expect(await log.publisher.publish({ trigger: 'backup', covering: 2 })).toMatchObject({ status: 'published' });
    await log.grow(2);
    expect(published()).toEqual([nameOf(0, 1), nameOf(0, 2), nameOf(0, 4)]);
  });

  it('of an earlier key is believed when that key is named as retired, and not otherwise', async () => {
    await log.grow(1);
    const { privateKey } = generateKeyPairSync('ed25519');
    const { createSecretKey } = await import('node:crypto');
    const seed = createSecretKey(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32));
    const retired = log.signer.verifierKey(await log.origin());
    await log.append(2);
    await log.seal();
    const signerWith = (retiredKeys: string[]) =>
      createCheckpointSigner({ auditKey: log.auditKey, key: seed, retiredKeys });
    const alone = log.publisherWith({ signer: signerWith([]) });
    expect(await alone.publish({ trigger: 'request' })).toMatchObject({
      ...{ status: 'refused', reason: 'checkpoint_forged' },
    });
    const both = log.publisherWith({ signer: signerWith([retired]) });
    expect(await both.publish({ trigger: 'request' })).toMatchObject({ status: 'published' });
  });
});

describe('publishers', () => {
  it('at once, ten of them, make one file of a size and one record', async () => {
    await log.append(1, 2, 3);
    await log.seal();
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => log.publisherWith().publish({ trigger: 'schedule' })),
    );
    expect(outcomes.map(({ status }) => status)).not.toContain('refused');
    expect(outcomes.filter(({ status }) => status === 'published').length).toBeGreaterThan(0);
    expect(published()).toEqual([nameOf(0, 3)]);
    expect(await log.recorded()).toHaveLength(1);
    expect(await log.entriesOf('audit.checkpoint_published')).toHaveLength(1);
  });

  it('at once while the log grows are never taken for an attack', async () => {
    await log.grow(0);
    const outcomes: string[] = [];
    await Promise.all([
      (async () => {
        for (let n = 1; n <= 15; n += 1) {
          await log.append(n);
          await log.seal();
        }
      })(),
      ...Array.from({ length: 4 }, async () => {
        for (let n = 0; n < 8; n += 1) {
          outcomes.push((await log.publisherWith().publish({ trigger: 'request' })).status);
        }
      }),
    ]);
    expect(new Set(outcomes)).not.toContain('refused');
    const { published: notes } = await readPublished([log.place]);
    const origin = await log.origin();
    for (const { note } of notes) {
      const { size, root } = openCheckpoint(note, log.signer.verifiers(origin));
      expect(await rootAt(log.db.fork(), size)).toEqual(root);
    }
  });

  it('that die between publishing and recording leave no gap: the next one records it', async () => {
    await log.append(1, 2);
    await log.seal();
    const dying = log.publisherWith({
      audit: {
        append: () => {
          throw new Error('killed');
        },
      },
    });
    await expect(dying.publish({ trigger: 'schedule' })).rejects.toThrow('killed');
    expect(published()).toEqual([nameOf(0, 2)]);
    expect(await log.recorded()).toEqual([]);
    const note = readFileSync(join(log.folder, nameOf(0, 2)), 'utf8');
    expect(await log.publisher.publish({ trigger: 'schedule' })).toEqual({ status: 'unchanged', name: nameOf(0, 2) });
    expect(await log.recorded()).toMatchObject([{ size: '2', trigger: 'found' }]);
    expect(readFileSync(join(log.folder, nameOf(0, 2)), 'utf8')).toBe(note);
    expect(await log.entriesOf('audit.checkpoint_published')).toHaveLength(1);
  });

  it('that die while they write leave a file that is no checkpoint and goes away', async () => {
    const name = `.${nameOf(0, 9)}.0123456789abcdef.tmp`;
    const fresh = `.${nameOf(0, 9)}.fedcba9876543210.tmp`;
    for (const one of [name, fresh]) writeFileSync(join(log.folder, one), 'half');
    utimesSync(join(log.folder, name), new Date(0), new Date(0));
    expect(await log.grow(1)).toMatchObject({ status: 'published' });
    expect(published()).toEqual([fresh, nameOf(0, 1)]);
  });

  it('go on where a folder was lost, from what the database and the other place have', async () => {
    const { createCheckpointFolder } = await import('../../platform/checkpoint-folder.ts');
    const second = { ...createCheckpointFolder(join(log.folder, 'second')), name: 'bucket' as const };
    const both = log.publisherWith({ places: [log.place, second] });
    await log.append(1);
    await log.seal();
    await both.publish({ trigger: 'schedule' });
    rmSync(join(log.folder, nameOf(0, 1)));
    expect(await both.publish({ trigger: 'schedule' })).toEqual({ status: 'unchanged', name: nameOf(0, 1) });
    expect(await log.place.read(nameOf(0, 1))).toBe(await second.read(nameOf(0, 1)));
  });
});

describe('a place', () => {
  const broken = {
    name: 'bucket' as const,
    list: () => Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' })),
    read: () => Promise.reject(new Error('away')),
    publish: () => Promise.reject(new Error('away')),
  };

  it('that is away does not stop the others, is told of, and raises the alert', async () => {
    await log.append(1);
    await log.seal();
    const outcome = await log.publisherWith({ places: [log.place, broken] }).publish({ trigger: 'schedule' });
    expect(outcome).toMatchObject({ status: 'published', places: { folder: null, bucket: 'ECONNREFUSED' } });
    expect(await checkpointHealth(log.db.fork())).toMatchObject({ failures: 1 });
  });

  it('that is the only one and is away is a fault, and nothing is recorded', async () => {
    await log.append(1);
    await log.seal();
    await expect(log.publisherWith({ places: [broken] }).publish({ trigger: 'schedule' })).rejects.toThrow('away');
    expect(await log.recorded()).toEqual([]);
    const health = await checkpointHealth(log.db.fork());
    expect(health).toMatchObject({ ageSeconds: null, failures: 0 });
    expect(health.waitingSeconds).toBeGreaterThan(0);
  });
});

describe('nothing is published, and it is said why, when', () => {
  const refused = async () => (await log.publisher.publish({ trigger: 'schedule' })) as Refusal;

  it('the end of the log was cut off', async () => {
    await log.grow(1, 2, 3);
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 2)');
      await sql('delete from audit_seal where seq >= 2');
    });
    expect(await refused()).toEqual({
      ...{ status: 'refused', reason: 'tail_truncated', name: nameOf(0, 3), place: 'folder' },
      ...{ publishedSize: 3, size: 2 },
    });
    expect(published()).toEqual([nameOf(0, 3)]);
  });

  it('the end was cut off and written anew, by who holds the key as well', async () => {
    await log.grow(1, 2, 3);
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 2)');
      await sql('delete from audit_seal where seq >= 2');
    });
    await log.append('other', 'others');
    await log.seal();
    expect(await refused()).toMatchObject({ status: 'refused', reason: 'tail_rewritten' });
  });

  it('an entry was changed and everything behind it computed anew', async () => {
    await log.grow(1, 2, 3);
    await rewriteFrom(1);
    await log.append(4);
    await log.seal();
    expect(await refused()).toMatchObject({ status: 'refused', reason: 'history_rewritten', size: 5 });
  });

  it('a backup was restored that lost the end', async () => {
    await log.grow(1, 2, 3, 4);
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 1)');
      await sql('delete from audit_seal where seq >= 1');
    });
    await log.db.transaction((tx) =>
      log.audit.append(tx, {
        ...{ action: 'backup.restored', actor: { kind: 'operator' }, outcome: 'success' },
        subject: { kind: 'backup', id: 'b' },
      }),
    );
    await log.seal();
    expect(await refused()).toMatchObject({ reason: 'restored_without_tail', publishedSize: 4, size: 3 });
  });

  it('a published one is of another log', async () => {
    const other = await createPublishedLog();
    try {
      await other.asDatabaseAdministrator((sql) =>
        sql(`update audit_log_origin set origin = 'tradeguard.local/other'`),
      );
      await other.grow(1, 2, 3, 4);
      writeFileSync(join(log.folder, nameOf(0, 4)), readFileSync(join(other.folder, nameOf(0, 4)), 'utf8'));
    } finally {
      await other.close();
    }
    await log.append(1);
    await log.seal();
    expect(await refused()).toMatchObject({ reason: 'foreign_checkpoint', name: nameOf(0, 4), publishedSize: null });
  });

  it('a published one is signed by nobody who may', async () => {
    await log.grow(1, 2);
    const tx = log.db.fork();
    const { privateKey } = generateKeyPairSync('ed25519');
    const origin = await log.origin();
    const note = signCheckpoint(
      {
        ...{ origin, size: 2, root: await rootAt(tx, 2), head: await headAt(tx, 2), fork: 0, restored: null },
        time: '2030-01-01T00:00:00.000000Z',
      },
      privateKey,
    );
    replace(nameOf(0, 2), note);
    expect(await refused()).toMatchObject({ reason: 'checkpoint_forged', name: nameOf(0, 2) });
  });

  it.each(['a byte of it', 'its name'])('somebody changed %s', async (what) => {
    await log.grow(1, 2);
    const note = readFileSync(join(log.folder, nameOf(0, 2)), 'utf8');
    if (what === 'its name') writeFileSync(join(log.folder, nameOf(0, 3)), note);
    else replace(nameOf(0, 2), note.replace('\n2\n', '\n1\n'));
    expect(await refused()).toMatchObject({ reason: 'checkpoint_forged' });
  });

  it('one place was changed to fit and another one was not', async () => {
    const { createCheckpointFolder } = await import('../../platform/checkpoint-folder.ts');
    const second = { ...createCheckpointFolder(join(log.folder, 'second')), name: 'bucket' as const };
    const both = log.publisherWith({ places: [log.place, second] });
    await log.append(1, 2, 3);
    await log.seal();
    await both.publish({ trigger: 'schedule' });
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 1)');
      await sql('delete from audit_seal where seq >= 1');
      await sql('delete from audit_checkpoint');
    });
    rmSync(join(log.folder, nameOf(0, 3)));
    expect(await both.publish({ trigger: 'schedule' })).toMatchObject({ reason: 'tail_truncated', place: 'bucket' });
  });

  function replace(name: string, note: string): void {
    chmodSync(join(log.folder, name), 0o644);
    writeFileSync(join(log.folder, name), note);
  }

  /** As one who holds the database and the key: from `seq` on every hash is right again. */
  async function rewriteFrom(seq: number): Promise<void> {
    const texts = await log.entryTexts();
    const ids = (await log.sealed()).map(({ entryId }) => entryId);
    const origin = await log.origin();
    let hash = genesisHash(origin);
    await log.asDatabaseAdministrator(async (sql) => {
      for (const [n, text] of texts.entries()) {
        const changed = n === seq ? text.replace('test.happened', 'test.happenee') : text;
        const previous = hash;
        hash = chainHash(hash, changed);
        await sql('update audit_entry set entry = $2 where id = $1', [ids[n], changed]);
        await sql('update audit_seal set prev_hash = $2, hash = $3, leaf_hash = $4 where seq = $1', [
          ...[n, previous, hash, leafHash(changed)],
        ]);
      }
    });
  }
});

describe('the incident of a refusal', () => {
  const refusal = (reason: Refusal['reason'], name = nameOf(0, 3)): Refusal => ({
    ...{ status: 'refused', reason, name, place: 'folder', publishedSize: 3, size: 2 },
  });
  const report = (given: Refusal, occasion: string) =>
    log.db.transaction((tx) => reportRefusal(tx, { audit: log.audit }, given, occasion));

  it('is opened once, critical, and not every hour anew while it is unresolved', async () => {
    const told = await report(refusal('tail_truncated'), 'run-1');
    expect(told).toEqual([{ incidentId: expect.any(String), severity: 'critical' }]);
    expect(await report(refusal('tail_truncated'), 'run-1')).toEqual(told);
    for (const hour of ['run-2', 'run-3']) expect(await report(refusal('tail_truncated'), hour)).toEqual([]);
    expect(await log.entriesOf('audit.checkpoint_refused')).toHaveLength(1);
    const events = () =>
      row<{ n: string; incidents: string }>(
        log.db.fork(),
        'select count(*) as n, count(distinct incident_id) as incidents from incident_event',
      );
    expect(await events()).toEqual({ n: '1', incidents: '1' });
    // Another finding is evidence for the same incident.
    await report(refusal('history_rewritten'), 'run-4');
    expect(await events()).toEqual({ n: '2', incidents: '1' });
    await log.asOwner(
      `update incident set status = 'resolved', resolved_at = now(), resolution = 'seen' where status <> 'resolved'`,
    );
    expect(await report(refusal('tail_truncated'), 'run-5')).toHaveLength(1);
    expect(await events()).toEqual({ n: '3', incidents: '2' });
  });
});
