import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseVerifierKey, type Verifier } from '../../verifier/note.ts';
import { UnreadableError } from '../../verifier/pool.ts';
import { type VerifyOptions, verify } from '../../verifier/verify.ts';
import {
  AUDIT_KEY,
  blank,
  checkpoint,
  entryText,
  log,
  note,
  type Row,
  rechain,
  signer,
  writeEvidence,
  writeExport,
} from './export-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tradeguard-verifier-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
function fresh(): string {
  count += 1;
  return join(folder, String(count));
}
const pinned = (seed = 1): Verifier[] => [parseVerifierKey(signer(seed).vkey)].filter((key) => key !== null);

const check = (dirs: string | string[], over: Partial<VerifyOptions> = {}) =>
  verify({ dirs: [dirs].flat(), pinned: pinned(), auditKeys: [], checkpoints: null, threads: 1, ...over });

const rows = log(40);
const all = [8, 13, 32, 40].map((size) => checkpoint(rows, size));
const sound = writeExport(fresh(), rows, { checkpoints: all });
function copy(): string {
  const dir = fresh();
  cpSync(sound, dir, { recursive: true });
  return dir;
}
const FILE = 'entries/entries-000000000008.ndjson.gz';
/** Rewrites the lines of a file, as somebody does who has the folder and no key. */
function edit(dir: string, change: (text: string) => string | Buffer): void {
  const path = join(dir, FILE);
  writeFileSync(path, gzipSync(change(gunzipSync(readFileSync(path)).toString('utf8'))));
}

describe('a folder that was changed after it was signed', () => {
  const line = gunzipSync(readFileSync(join(sound, FILE)))
    .toString('utf8')
    .split('\n')[3] as string;
  /** The first byte of each member's value, and one within the text. */
  const places = Object.entries(JSON.parse(line) as Row).map(([name]) => ({ name, at: line.indexOf(`"${name}":`) }));

  it.each(places)('a byte of $name in a line', async ({ name, at }) => {
    const dir = copy();
    edit(dir, (text) => {
      const lines = text.split('\n');
      const value = at + name.length + 3;
      const place = line.indexOf('"', value) === value ? value + 5 : value;
      const byte = line[place] === '1' ? '2' : '1';
      lines[3] = line.slice(0, place) + byte + line.slice(place + 1);
      return lines.join('\n');
    });
    const { verdict, findings } = await check(dir);
    expect(verdict).toBe('not_sound');
    expect(findings.map(({ reason }) => reason)).toContain('file_changed');
  });

  it.each(['prevHash', 'hash', 'leafHash', 'entry', 'columns'])(
    'names the entry whose %s was changed',
    async (name) => {
      const dir = copy();
      edit(dir, (text) => {
        const lines = text.split('\n');
        const row = JSON.parse(lines[3] as string);
        if (name === 'entry') row.entry = row.entry.replace('250', '260');
        else if (name === 'columns') row.columns.action = 'other';
        else row[name] = 'ab'.repeat(32);
        lines[3] = JSON.stringify(row);
        return lines.join('\n');
      });
      const { reason, firstInvalidSeq } = await check(dir);
      expect([reason, firstInvalidSeq]).toEqual([name === 'entry' ? 'entry_changed' : 'column_changed', 11]);
    },
  );

  it.each([
    ['a line that is none', (text: string) => text.replace('{"seq":11', '{"sequel":11'), 11],
    ['a line that is no JSON', (text: string) => text.replace('{"seq":11', '{seq:11'), 11],
    ['a last line without an end', (text: string) => text.slice(0, -1), 15],
    ['bytes that are no UTF-8', (text: string) => Buffer.from(text.replace('€', '\u00ff'), 'latin1'), 8],
  ])('%s', async (_, change, seq) => {
    const dir = copy();
    edit(dir, change);
    expect(await check(dir)).toMatchObject({ reason: 'file_changed', firstInvalidSeq: seq });
  });

  it('the exporter himself signed a line that is none', async () => {
    const bad = log(40);
    (bad[11] as unknown as Record<string, unknown>).seal = 1;
    expect(await check(writeExport(fresh(), bad))).toMatchObject({ reason: 'malformed', firstInvalidSeq: 11 });
  });

  it.each([1, 40, 200])('gzip cut short by %i bytes', async (bytes) => {
    const dir = copy();
    truncateSync(join(dir, FILE), readFileSync(join(dir, FILE)).length - bytes);
    const { reason, firstInvalidSeq } = await check(dir);
    expect(reason).toBe('file_changed');
    expect(firstInvalidSeq).toBeGreaterThanOrEqual(8);
  });

  it('bytes behind the end of gzip', async () => {
    const dir = copy();
    appendFileSync(join(dir, FILE), 'more');
    expect(await check(dir)).toMatchObject({ reason: 'file_changed' });
  });

  it('a file taken out, or put in', async () => {
    const without = copy();
    rmSync(join(without, FILE));
    expect(await check(without)).toMatchObject({ reason: 'file_missing', firstInvalidSeq: 8 });
    const more = copy();
    cpSync(join(more, FILE), join(more, 'entries/entries-000000000040.ndjson.gz'));
    expect(await check(more)).toMatchObject({ reason: 'file_unexpected' });
    const remark = copy();
    writeFileSync(join(remark, 'remarks.txt'), 'seen by me');
    expect(await check(remark)).toMatchObject({ verdict: 'sound', notes: [expect.stringContaining('remarks.txt')] });
  });

  it('two files exchanged', async () => {
    const dir = copy();
    const other = join(dir, 'entries/entries-000000000016.ndjson.gz');
    const bytes = readFileSync(other);
    cpSync(join(dir, FILE), other);
    writeFileSync(join(dir, FILE), bytes);
    const { reason, findings } = await check(dir);
    expect(reason).toBe('entries_swapped');
    expect(findings.filter((one) => one.reason === 'file_changed')).toHaveLength(2);
  });

  it('a checkpoint taken out leaves less proof, and says so', async () => {
    const dir = copy();
    for (const name of readdirSync(join(dir, 'checkpoints')).slice(2)) rmSync(join(dir, 'checkpoints', name));
    const { verdict, notes } = await check(dir);
    expect([verdict, notes]).toEqual([
      'sound',
      ['Entries 13 to 39 are newer than the last checkpoint that was found.'],
    ]);
  });
});

describe('keys and signatures', () => {
  it('the manifest changed, or its signature', async () => {
    const changed = copy();
    const path = join(changed, 'manifest.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"macs":true', '"macs":false'));
    expect(await check(changed)).toMatchObject({ reason: 'manifest_forged' });
    const forged = copy();
    const signature = join(forged, 'manifest.note');
    const text = readFileSync(signature, 'utf8').split('\n\n')[0] as string;
    writeFileSync(signature, note(`${text}\n`, { ...signer(2), keyId: signer().keyId }));
    expect(await check(forged)).toMatchObject({ reason: 'manifest_forged' });
    const unsigned = copy();
    rmSync(join(unsigned, 'manifest.note'));
    expect(await check(unsigned)).toMatchObject({ reason: 'manifest_forged' });
  });

  it('everything signed by another key is sound by itself, and not for who pins the right one', async () => {
    const key = signer(2);
    const dir = writeExport(fresh(), rows, { key });
    expect(await check(dir, { pinned: [] })).toMatchObject({
      verdict: 'sound',
      keys: { pinned: false, vkeys: [key.vkey] },
    });
    const found = await check(dir);
    expect(found).toMatchObject({ verdict: 'not_sound', reason: 'wrong_key', keys: { pinned: true, vkeys: [] } });
    expect(await check(dir, { pinned: pinned(2) })).toMatchObject({ verdict: 'sound', keys: { pinned: true } });
  });

  it('a key that took over: pinned together, or the new one alone', async () => {
    const [old, now] = [signer(1), signer(2)];
    const checkpoints = [checkpoint(rows, 13, { key: old }), checkpoint(rows, 40, { key: now })];
    const dir = writeExport(fresh(), rows, { key: now, keys: [old.vkey, now.vkey], checkpoints });
    const both = [...pinned(1), ...pinned(2)];
    expect(await check(dir, { pinned: both })).toMatchObject({ verdict: 'sound', checkpoints: { agreed: 2 } });
    const one = await check(dir, { pinned: pinned(2) });
    expect(one).toMatchObject({ verdict: 'sound', checkpoints: { given: 1, agreed: 1 } });
    expect(one.notes).toEqual([expect.stringContaining('signed by keys that are not pinned')]);
  });
});

describe('several folders', () => {
  const part = (from: number, to: number, of: Row[] = rows, size = 40) =>
    writeExport(fresh(), of, { from, to, checkpoints: all.slice(0, 3), manifest: { logSize: size } });

  it('that adjoin or overlap are one log, in any order', async () => {
    for (const [a, b] of [
      [part(0, 13), part(13, 40)],
      [part(0, 20), part(13, 40)],
      [part(5, 5), part(5, 40)],
    ] as const) {
      const verdict = await check([b, a]);
      expect(verdict.findings).toEqual([]);
      expect(verdict).toMatchObject({ verdict: 'sound' });
    }
  });

  it('with a gap are not', async () => {
    const verdict = await check([part(0, 13), part(20, 40)]);
    expect(verdict).toMatchObject({ reason: 'range_missing', firstInvalidSeq: 13, findings: [{}] });
  });

  it('of one log that was written anew between them', async () => {
    const anew = log(40);
    (anew[10] as Row).entry = entryText(10, { ip: '1.1.1.1' });
    rechain(anew, 10);
    const none = { checkpoints: [], manifest: { logSize: 40 } };
    for (const from of [0, 5, 20]) {
      const [a, b] = [
        writeExport(fresh(), rows, { ...none, from: 0, to: 20 }),
        writeExport(fresh(), anew, { ...none, from, to: 40 }),
      ];
      const verdict = await check([a, b]);
      expect(verdict, `from ${from}`).toMatchObject({
        reason: 'history_rewritten',
        firstInvalidSeq: from === 5 ? 5 : 0,
      });
    }
  });

  it('of which the later one is shorter', async () => {
    const early = writeExport(fresh(), rows, { checkpoints: [] });
    const late = writeExport(fresh(), rows.slice(0, 30), {
      checkpoints: [],
      manifest: { createdAt: '2026-02-01T00:00:00.000000Z' },
    });
    expect(await check([early, late])).toMatchObject({ reason: 'tail_truncated', firstInvalidSeq: 30 });
  });

  it('of different logs', async () => {
    const origin = 'tradeguard.local/other';
    const other = writeExport(fresh(), log(9, origin), { key: signer(1, origin), manifest: { origin } });
    const verdict = await check([sound, other], { pinned: [] });
    expect(verdict.findings.map(({ reason }) => reason)).toContain('foreign_export');
  });

  it('an export before an accepted restore and one after it', async () => {
    const after = log(40).slice(0, 30);
    after.push(blank(30, entryText(30, { ip: '1.1.1.1' })), blank(31, entryText(31)));
    rechain(after, 30);
    const fork = { fork: 1, kept: 30, lost: 40, time: '2026-01-01T03:00:00.000000Z' };
    const late = writeExport(fresh(), after, {
      checkpoints: [...all, checkpoint(after, 30, fork), checkpoint(after, 32, fork)],
      manifest: { createdAt: '2026-02-01T00:00:00.000000Z' },
    });
    const verdict = await check([sound, late]);
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ restores: [{ fork: 1, kept: 30, lost: 40 }] });
  });
});

describe('checkpoints that the auditor kept', () => {
  function kept(...published: { name: string; text: string }[]): string {
    const dir = writeExport(fresh(), [], { checkpoints: published });
    writeFileSync(join(dir, 'checkpoints', 'remarks.md'), 'from the bucket');
    return join(dir, 'checkpoints');
  }

  it('agree with a sound export', async () => {
    const verdict = await check(sound, { checkpoints: kept(...all) });
    expect(verdict).toMatchObject({ verdict: 'sound' });
  });

  it('decide against an export of a database that was written anew, checkpoints and all', async () => {
    const anew = log(40);
    (anew[20] as Row).entry = entryText(20, { ip: '1.1.1.1' });
    rechain(anew, 20);
    const dir = writeExport(fresh(), anew);
    expect(await check(dir)).toMatchObject({ verdict: 'sound' });
    const verdict = await check(dir, { checkpoints: kept(...all) });
    expect(verdict).toMatchObject({ reason: 'history_rewritten', firstInvalidSeq: 13 });
    const cut = writeExport(fresh(), rows.slice(0, 35));
    expect(await check(cut, { checkpoints: kept(...all) })).toMatchObject({
      reason: 'tail_truncated',
      firstInvalidSeq: 35,
    });
    // One that was published after the export was made says nothing against it.
    const later = checkpoint(rows, 40, { time: '2027-01-01T00:00:00.000000Z' });
    expect(await check(cut, { checkpoints: kept(later) })).toMatchObject({ verdict: 'sound' });
  });

  it('are not taken from others', async () => {
    const dir = kept(checkpoint(rows, 13, { key: signer(2) }));
    expect(await check(sound, { checkpoints: dir })).toMatchObject({ reason: 'checkpoint_forged' });
    await expect(check(sound, { checkpoints: join(folder, 'nowhere') })).rejects.toBeInstanceOf(UnreadableError);
  });
});

describe('evidence bundles', () => {
  const SEQS = [0, 3, 4, 20, 39];
  const AUDITED = { auditKeys: [AUDIT_KEY.toString('base64')] };

  it('are sound by themselves and beside an export', async () => {
    for (const length of [1, 2, 3, 7, 40]) {
      const own = log(length);
      const seqs = own.map(({ seq }) => seq);
      const verdict = await check(writeEvidence(fresh(), own, seqs), AUDITED);
      expect(verdict.findings).toEqual([]);
      expect(verdict).toMatchObject({ verdict: 'sound', entries: length });
    }
    expect(await check([sound, writeEvidence(fresh(), rows, SEQS)])).toMatchObject({ verdict: 'sound' });
  });

  it.each<[string, (row: Row) => void, string]>([
    ['a text', (row) => Object.assign(row, { entry: entryText(20, { ip: '1.1.1.1' }) }), 'entry_changed'],
    ['a column', (row) => Object.assign(row, { columns: { ...row.columns, actor: 'other' } }), 'column_changed'],
    ['a hash', (row) => Object.assign(row, { hash: 'ab'.repeat(32) }), 'column_changed'],
    ['a MAC', (row) => Object.assign(row, { sealHmac: 'ab'.repeat(32) }), 'seal_forged'],
    ['an entry gone', (row) => Object.assign(row, { entry: null, columns: null }), 'entry_deleted'],
  ])('%s that was changed', async (_, change, reason) => {
    const own = log(40);
    const dir = fresh();
    change(own[20] as Row);
    const verdict = await check(writeEvidence(dir, own, SEQS), AUDITED);
    expect(verdict).toMatchObject({ verdict: 'not_sound', reason, firstInvalidSeq: 20 });
  });

  it('an entry of a log that is not the checkpoint’s', async () => {
    const own = log(40);
    const dir = writeEvidence(fresh(), own, SEQS);
    const changed = log(40);
    (changed[20] as Row).entry = entryText(20, { ip: '1.1.1.1' });
    rechain(changed, 20);
    const other = writeEvidence(fresh(), changed, SEQS);
    for (const name of readdirSync(join(dir, 'checkpoints')))
      cpSync(join(dir, 'checkpoints', name), join(other, 'checkpoints', name));
    expect(await check(other)).toMatchObject({ reason: 'proof_invalid', firstInvalidSeq: 0 });
    // Its own checkpoint agrees with it, and not with the export of the true log.
    const third = writeEvidence(fresh(), changed, SEQS);
    expect(await check(third)).toMatchObject({ verdict: 'sound' });
    expect(await check([sound, third])).toMatchObject({ reason: 'history_rewritten', firstInvalidSeq: 32 });
  });

  it('fewer entries than the manifest says', async () => {
    const dir = writeEvidence(fresh(), rows, SEQS, { manifest: { entries: 6 } });
    expect(await check(dir)).toMatchObject({ reason: 'malformed' });
  });
});
