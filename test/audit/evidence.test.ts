import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EvidenceBundle } from '../../activities/evidence-bundle.ts';
import { writeBundle } from '../../activities/evidence-files.ts';
import { ExportError } from '../../activities/export-files.ts';
import type { AuditEvent } from '../../db/audit.ts';
import { resolveIncidentFor } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createEvidenceLog, type EvidenceLog, verifyApart } from './evidence-fixture.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-evidence-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nothing = async () => {};
const manifestOf = ({ files }: EvidenceBundle) => JSON.parse(files.get('manifest.json')?.toString() ?? '');
const linesOf = ({ files }: EvidenceBundle) =>
  gunzipSync(files.get('entries.ndjson.gz') ?? Buffer.alloc(0))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { seq: number; entry: string; proof: string[] });
/** What the entries of a bundle say of themselves, in the order of the log. */
const actionsOf = (bundle: EvidenceBundle) => linesOf(bundle).map(({ entry }) => JSON.parse(entry).action as string);

let log: EvidenceLog;
let ada: string;
beforeEach(async () => {
  log = await createEvidenceLog();
  ada = await log.person();
});
afterEach(() => log.close());

const by = (id: string, action: string, over: Partial<AuditEvent> = {}): AuditEvent => ({
  action,
  actor: { kind: 'user', id },
  subject: { kind: 'session', id: uuidV7() },
  outcome: 'success',
  ...over,
});
const about = (id: string, action: string, over: Partial<AuditEvent> = {}): AuditEvent => ({
  action,
  actor: { kind: 'system' },
  subject: { kind: 'user', id },
  outcome: 'success',
  ...over,
});

async function written(bundle: EvidenceBundle, name = uuidV7()): Promise<string> {
  const out = join(folder, name);
  await writeBundle(out, bundle, nothing);
  return out;
}

describe('which entries belong to an incident', () => {
  it('its own, those about and by its user, and those of the same requests and workflows, and no others', async () => {
    const restrictionId = uuidV7();
    const [bea, requestId, workflowId] = [await log.person(), uuidV7(), `restriction:${restrictionId}`];
    await log.noise(30);
    await log.append(
      about(ada, 'test.about'),
      by(ada, 'test.by', { requestId }),
      about(bea, 'test.same_request', { requestId }),
      about(bea, 'test.same_workflow', { workflowId }),
      { ...about('x', 'test.named'), subject: { kind: 'restriction', id: restrictionId } },
      about(bea, 'test.somebody_else'),
      by(bea, 'test.somebody_else', { requestId: uuidV7(), workflowId: 'login:other' }),
      // Whoever writes what looks like a member of an entry is not taken at his word.
      about(bea, 'test.somebody_else', {
        userAgent: `"workflowId":"${workflowId}"}`,
        details: { n: `"outcome":"success","requestId":"${requestId}"` },
      }),
    );
    const incidentId = await log.open(ada, { restrictionId }, `${workflowId}:opened`);
    await log.noise(30);
    await log.seal();
    const bundle = await log.make(incidentId);
    expect(actionsOf(bundle)).toEqual([
      ...['test.about', 'test.by', 'test.same_request', 'test.same_workflow', 'test.named', 'incident.opened'],
    ]);
    const { selection, incident } = manifestOf(bundle);
    expect(incident).toMatchObject({
      id: incidentId,
      cause: 'restriction',
      severity: 'high',
      status: 'open',
      userId: ada,
    });
    expect(selection).toMatchObject({ found: 6, truncated: false, windowHours: 24, actors: [ada] });
    expect(selection.workflows).toContain(workflowId);
    expect(selection.subjects.toSorted()).toEqual([ada, incidentId, restrictionId].toSorted());
    // Nothing that says who somebody is.
    const told = [...bundle.files.values()].map((bytes) => bytes.toString('latin1')).join();
    expect(told).not.toContain('Ada Example');
    expect(told).not.toContain('example.com');
  });

  it('from the asked hours before it was first seen to its end', async () => {
    await log.append(about(ada, 'test.before'));
    const incidentId = await log.open(ada);
    await log.db.transaction((tx) =>
      resolveIncidentFor(tx, log, {
        ...{ cause: 'restriction', subjectKind: 'user', subjectId: ada, resolution: 'seen to', resolvedBy: null },
      }),
    );
    await log.append(about(ada, 'test.after'));
    await log.seal();
    // Its rows are moved, the entries stay: 30 hours lie between, and the end is long past.
    await run(log.ownerDb.fork(), `update incident_event set at = at + interval '30 hours' where incident_id = $1`, [
      incidentId,
    ]);
    await run(
      log.ownerDb.fork(),
      `update incident set opened_at = opened_at + interval '30 hours', resolved_at = resolved_at + interval '30 hours' where id = $1`,
      [incidentId],
    );
    expect(actionsOf(await log.make(incidentId))).toEqual(['incident.opened', 'incident.resolved']);
    expect(actionsOf(await log.make(incidentId, { windowHours: 31 }))).toEqual([
      ...['test.before', 'incident.opened', 'incident.resolved', 'test.after'],
    ]);
    await run(
      log.ownerDb.fork(),
      `update incident set opened_at = opened_at - interval '31 hours', resolved_at = opened_at - interval '31 hours' where id = $1`,
      [incidentId],
    );
    await run(log.ownerDb.fork(), `update incident_event set at = at - interval '31 hours' where incident_id = $1`, [
      incidentId,
    ]);
    expect(actionsOf(await log.make(incidentId, { windowHours: 48 }))).toEqual([
      'incident.opened',
      'incident.resolved',
    ]);
  });

  it('the nearest where there are too many, and the manifest and the verifier say so', async () => {
    const incidentId = await log.open(ada);
    for (let n = 0; n < 20; n += 1) await log.append(about(ada, `test.number_${n}`));
    await log.seal();
    const bundle = await log.make(incidentId, { limit: 5 });
    expect(actionsOf(bundle)).toEqual(['incident.opened', ...[0, 1, 2, 3].map((n) => `test.number_${n}`)]);
    expect(bundle).toMatchObject({ entries: 5, found: 21, pending: 0 });
    expect(manifestOf(bundle).selection).toMatchObject({ found: 21, limit: 5, truncated: true });
    const verdict = await verifyApart([await written(bundle)]);
    expect(verdict).toMatchObject({ code: 0, notes: [expect.stringContaining('5 of 21 entries')] });
  });

  it('there is no such incident', async () => {
    await expect(log.make(uuidV7())).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a bundle', () => {
  /** Three tiles of 256, so that proofs go through stored nodes, some of them beside each other. */
  async function grown(): Promise<string> {
    await log.noise(300);
    await log.append(about(ada, 'test.early'), by(ada, 'test.early'));
    await log.noise(300);
    const incidentId = await log.open(ada);
    await log.noise(50);
    await log.append(about(ada, 'test.late'));
    await log.seal(500);
    return incidentId;
  }

  it('is sound to the verifier as a folder and as one file, with the key pinned and every MAC checked', async () => {
    const incidentId = await grown();
    const bundle = await log.make(incidentId);
    expect(bundle).toMatchObject({ entries: 4, found: 4, verification: { valid: true, reason: null } });
    const [dir, file] = [await written(bundle), await written(bundle, `${uuidV7()}.json.gz`)];
    const keyFile = join(folder, 'audit-key');
    writeFileSync(keyFile, log.auditKey.export().toString('base64'));
    for (const path of [dir, file]) {
      const verdict = await verifyApart([path], '--key', bundle.verifierKey, '--audit-key-file', keyFile);
      expect(verdict).toMatchObject({ code: 0, verdict: 'sound', macs: 'checked', entries: 4, keys: { pinned: true } });
      expect(verdict).toMatchObject({
        exports: [{ kind: 'evidence', incident: { id: incidentId, cause: 'restriction' } }],
      });
    }
    expect((statSync(file).mode | statSync(join(dir, 'manifest.json')).mode) & 0o077).toBe(0);
    // A checkpoint was published for it, and the record of that is not in what it covers.
    expect((await log.recorded()).map(({ trigger }) => trigger)).toEqual(['evidence']);
    expect(readdirSync(join(dir, 'checkpoints'))).toEqual([bundle.checkpoint]);
    expect(await log.place.read(bundle.checkpoint ?? '')).toBe(
      readFileSync(join(dir, 'checkpoints', bundle.checkpoint ?? ''), 'utf8'),
    );
  });

  it('has the same bytes in both forms', async () => {
    const bundle = await log.make(await grown());
    const [dir, file] = [await written(bundle), await written(bundle, `${uuidV7()}.json.gz`)];
    const { files } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
      files: { name: string; text?: string; base64?: string }[];
    };
    const found = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'checkpoints');
    expect(files.map(({ name }) => name).toSorted()).toEqual(found.toSorted());
    for (const { name, text, base64 } of files) {
      const bytes = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
      expect(bytes.equals(readFileSync(join(dir, name))), name).toBe(true);
    }
  });

  it('made again, without news, rests on the checkpoint that is there', async () => {
    const incidentId = await grown();
    const first = await log.make(incidentId);
    await log.seal();
    const second = await log.make(incidentId);
    expect(second.checkpoint).toBe(first.checkpoint);
    expect(await verifyApart([await written(second)])).toMatchObject({ code: 0, verdict: 'sound' });
    await log.append(about(ada, 'test.news'));
    await log.seal();
    const third = await log.make(incidentId);
    expect(third.checkpoint).not.toBe(first.checkpoint);
    // All three are of one log.
    const paths = await Promise.all([first, second, third].map((bundle) => written(bundle)));
    expect(await verifyApart(paths)).toMatchObject({ code: 0, verdict: 'sound' });
  });

  it('waits for the seals of what was just written', async () => {
    await log.noise(3);
    const incidentId = await log.open(ada);
    const making = log.make(incidentId);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await log.seal();
    expect(await making).toMatchObject({ entries: 1, pending: 0, verification: { valid: true } });
  });

  it('takes no name that is there, and leaves nothing when it is not finished', async () => {
    const bundle = await log.make(await grown());
    const [dir, file] = [join(folder, 'taken'), join(folder, 'taken.json.gz')];
    mkdirSync(dir);
    writeFileSync(join(dir, 'a'), 'b');
    writeFileSync(file, 'c');
    for (const out of [dir, file]) await expect(writeBundle(out, bundle, nothing)).rejects.toThrow(ExportError);
    expect(readFileSync(file, 'utf8') + readFileSync(join(dir, 'a'), 'utf8')).toBe('cb');
    const failing = async () => {
      throw new Error('the database is away');
    };
    for (const name of ['half', 'half.json.gz'])
      await expect(writeBundle(join(folder, name), bundle, failing)).rejects.toThrow('away');
    expect(readdirSync(folder).filter((name) => /half|unfinished/.test(name))).toEqual([]);
    expect(existsSync(join(folder, 'half'))).toBe(false);
  });
});

describe('of a log that is not what was written', () => {
  async function story(): Promise<{ incidentId: string; seqs: number[] }> {
    await log.noise(20);
    await log.append(about(ada, 'test.first'));
    await log.noise(5);
    const incidentId = await log.open(ada);
    await log.append(about(ada, 'test.last'));
    await log.seal();
    const sound = await log.make(incidentId);
    return { incidentId, seqs: linesOf(sound).map(({ seq }) => seq) };
  }

  const damaged = async (incidentId: string) => {
    const bundle = await log.make(incidentId);
    return { bundle, verdict: await verifyApart([await written(bundle)]) };
  };

  it('an entry that was changed is named by its hashes, and by who made the bundle', async () => {
    const { incidentId, seqs } = await story();
    await log.asDatabaseAdministrator((sql) =>
      sql(
        `update audit_entry set entry = replace(entry, '"success"', '"failure"')
        where id = (select entry_id from audit_seal where seq = $1)`,
        [seqs[2]],
      ),
    );
    const { bundle, verdict } = await damaged(incidentId);
    expect(bundle.verification).toMatchObject({ valid: false, reason: 'entry_changed', firstInvalidSeq: seqs[2] });
    expect(bundle.entries).toBe(3);
    expect(verdict).toMatchObject({ code: 1, reason: 'entry_changed', firstInvalidSeq: seqs[2] });
    expect(new Set(verdict.findings.map((one) => one.by))).toEqual(new Set(['verifier', 'exporter']));
  });

  it('an entry that was forged with the hash it has to have is named by who holds the audit key', async () => {
    const { incidentId } = await story();
    await log.asDatabaseAdministrator((sql) =>
      sql(`insert into audit_entry (id, entry, entry_hmac, at, action, actor, subject, outcome, severity)
        select f.id, replace(e.entry, e.id::text, f.id::text), e.entry_hmac, e.at, e.action, e.actor, e.subject, e.outcome, e.severity
          from audit_entry e, (select gen_random_uuid() as id) f where e.action = 'test.last'`),
    );
    await log.seal();
    const { bundle, verdict } = await damaged(incidentId);
    expect(bundle.verification).toMatchObject({ valid: false, reason: 'entry_forged' });
    expect(manifestOf(bundle).damaged).toEqual([{ seq: bundle.verification.firstInvalidSeq, reason: 'entry_forged' }]);
    expect(verdict).toMatchObject({
      code: 1,
      reason: 'entry_forged',
      firstInvalidSeq: bundle.verification.firstInvalidSeq,
    });
  });

  it('one that was taken out, between those that are there, is named', async () => {
    const { incidentId } = await story();
    await log.asDatabaseAdministrator((sql) =>
      sql(`delete from audit_entry where id = (select entry_id from audit_seal where seq = 23)`),
    );
    const { verdict } = await damaged(incidentId);
    expect(verdict).toMatchObject({
      code: 1,
      reason: 'entry_deleted',
      firstInvalidSeq: 23,
      findings: [{ by: 'exporter' }],
    });
  });

  it('a log whose end was cut off is told of, with proofs in what is left and no checkpoint signed over it', async () => {
    const { incidentId } = await story();
    await log.noise(5);
    await log.seal();
    await log.publisher.publish({ trigger: 'schedule' });
    const published = await log.place.list();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 30)');
      await sql('delete from audit_seal where seq >= 30');
    });
    const { bundle, verdict } = await damaged(incidentId);
    expect(bundle).toMatchObject({ entries: 3, checkpoint: null, refusal: { reason: 'tail_truncated' } });
    expect(verdict).toMatchObject({ code: 1, reason: 'tail_truncated', findings: [{ by: 'exporter' }] });
    expect(await log.place.list()).toEqual(published);
  });

  it('a log whose tree was damaged, so that nothing can be proved', async () => {
    const { incidentId } = await story();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq = 3)');
      await sql('delete from audit_seal where seq = 3');
    });
    const { bundle, verdict } = await damaged(incidentId);
    expect(bundle).toMatchObject({ entries: 3, checkpoint: null, verification: { valid: false } });
    expect(manifestOf(bundle).tree).toBeNull();
    expect(verdict).toMatchObject({ code: 1, findings: [{ by: 'exporter' }] });
    expect(verdict.reason).toBe(bundle.verification.reason);
  });

  it('an entry that the sealer never sees is in it, told of as unsealed', { timeout: 60_000 }, async () => {
    const { incidentId } = await story();
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('alter table audit_entry alter column era set default 7');
      await log.append(about(ada, 'test.hidden'));
      await sql('alter table audit_entry alter column era set default 0');
    });
    await log.seal();
    const { bundle, verdict } = await damaged(incidentId);
    expect(bundle).toMatchObject({ entries: 3, found: 4, pending: 1 });
    expect(manifestOf(bundle).pending).toMatchObject([
      { genuine: true, entry: expect.stringContaining('test.hidden') },
    ]);
    expect(verdict).toMatchObject({ pending: 1 });
  });
});
