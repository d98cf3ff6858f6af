import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseVerifierKey } from '../../verifier/note.ts';
import { verify } from '../../verifier/verify.ts';
import { checkpoint, log, note, type Row, signer, writeEvidence } from './export-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tradeguard-tampered-evidence-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
function fresh(): string {
  count += 1;
  return join(folder, String(count));
}

const rows = log(40);
const SEQS = [0, 3, 4, 20, 39];
const sound = writeEvidence(fresh(), rows, SEQS);
const CHECKPOINT = join('checkpoints', checkpoint(rows, 40).name);
function copy(): string {
  const dir = fresh();
  cpSync(sound, dir, { recursive: true });
  return dir;
}

const pinned = [parseVerifierKey(signer().vkey)].filter((key) => key !== null);
async function check(dir: string) {
  const { verdict, findings } = await verify({ dirs: [dir], pinned, auditKeys: [], checkpoints: null, threads: 1 });
  return { verdict, found: findings.map(({ reason, seq }) => (seq === null ? reason : `${reason} ${seq}`)) };
}

function editFile(dir: string, name: string, change: (text: string) => string): void {
  writeFileSync(join(dir, name), change(readFileSync(join(dir, name), 'utf8')));
}
function editLines(dir: string, change: (lines: Row[]) => Row[]): void {
  const path = join(dir, 'entries.ndjson.gz');
  const lines = gunzipSync(readFileSync(path)).toString().trim().split('\n');
  const changed = change(lines.map((line) => JSON.parse(line) as Row));
  writeFileSync(path, gzipSync(changed.map((row) => `${JSON.stringify(row)}\n`).join('')));
}
/** As somebody does who has the key of the log: the manifest is right about what the file is. */
function writeAnew(change: (manifest: Record<string, unknown>) => Record<string, unknown>): string {
  const manifest = JSON.parse(readFileSync(join(sound, 'manifest.json'), 'utf8'));
  return writeEvidence(fresh(), rows, SEQS, { manifest: change(manifest) });
}

describe('a bundle that somebody changed who has no key', () => {
  it.each<[string, (dir: string) => void, string[]]>([
    [
      'the text of an entry',
      (dir) =>
        editLines(dir, (lines) =>
          lines.map((row) => (row.seq === 20 ? { ...row, entry: `${row.entry?.replace('250', '260')}` } : row)),
        ),
      ['entry_changed 20', 'file_changed'],
    ],
    [
      'a proof',
      (dir) =>
        editLines(dir, (lines) =>
          lines.map((row) => (row.seq === 20 ? { ...row, proof: row.proof?.toReversed() ?? [] } : row)),
        ),
      ['proof_invalid 20', 'file_changed'],
    ],
    [
      'a proof, taken away',
      (dir) => editLines(dir, (lines) => lines.map((row) => (row.seq === 20 ? { ...row, proof: [] } : row))),
      ['proof_invalid 20', 'file_changed'],
    ],
    [
      'an entry, taken out',
      (dir) => editLines(dir, (lines) => lines.filter(({ seq }) => seq !== 20)),
      ['file_changed', 'malformed'],
    ],
    ['all entries', (dir) => editLines(dir, () => []), ['file_changed', 'malformed']],
    [
      'the file of entries, taken out',
      (dir) => rmSync(join(dir, 'entries.ndjson.gz')),
      ['file_missing 0', 'malformed'],
    ],
    [
      'an entry, put in twice',
      (dir) => editLines(dir, (lines) => [...lines, lines[4] as Row]),
      ['malformed 39', 'file_changed', 'malformed'],
    ],
    [
      'the incident in the manifest',
      (dir) => editFile(dir, 'manifest.json', (text) => text.replace('lockout', 'restriction')),
      ['manifest_forged'],
    ],
    [
      'how many there were',
      (dir) => editFile(dir, 'manifest.json', (text) => text.replace('"found":5', '"found":4')),
      ['manifest_forged'],
    ],
    ['the note, taken out', (dir) => rmSync(join(dir, 'manifest.note')), ['manifest_forged']],
    [
      'the note, signed by somebody else',
      (dir) =>
        editFile(dir, 'manifest.note', (text) =>
          note(`${text.split('\n\n')[0]}\n`, { ...signer(2), keyId: signer().keyId }),
        ),
      ['manifest_forged'],
    ],
    [
      'the time of the checkpoint',
      (dir) => editFile(dir, CHECKPOINT, (text) => text.replace('time 2026', 'time 2025')),
      ['checkpoint_forged', 'checkpoint_forged'],
    ],
    ['the checkpoint, taken out', (dir) => rmSync(join(dir, CHECKPOINT)), ['checkpoint_forged']],
    [
      'the checkpoint, for another one of this log',
      (dir) => {
        rmSync(join(dir, CHECKPOINT));
        const other = checkpoint(rows, 32);
        writeFileSync(join(dir, 'checkpoints', other.name), other.text);
      },
      ['checkpoint_forged'],
    ],
    [
      'the checkpoint, for one of another log',
      (dir) => {
        const origin = 'tradeguard.local/other';
        writeFileSync(join(dir, CHECKPOINT), checkpoint(log(40, origin), 40, { key: signer(1, origin), origin }).text);
      },
      ['foreign_checkpoint', 'checkpoint_forged'],
    ],
    [
      'a file of entries, put in',
      (dir) => cpSync(join(dir, 'entries.ndjson.gz'), join(dir, 'more.ndjson.gz')),
      ['file_unexpected'],
    ],
  ])('%s', async (_, tamper, expected) => {
    expect(await check(sound)).toEqual({ verdict: 'sound', found: [] });
    const dir = copy();
    tamper(dir);
    const { verdict, found } = await check(dir);
    expect(verdict).toBe('not_sound');
    expect(found.toSorted()).toEqual(expected.toSorted());
  });

  it('every byte of every small file', async () => {
    const names = readdirSync(sound, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(json|note|txt)$/.test(name),
    );
    for (const name of names.filter((one) => one !== 'keys.txt')) {
      const bytes = readFileSync(join(sound, name));
      // Each twentieth, and the last ones, where the signature ends.
      const places = [...bytes.keys()].filter((at) => at % 20 === 0 || at > bytes.length - 4);
      for (const at of places) {
        const dir = copy();
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ 1;
        writeFileSync(join(dir, name), changed);
        expect((await check(dir)).verdict, `${name} at ${at}`).toBe('not_sound');
      }
    }
  });
});

describe('a bundle by somebody who has the key', () => {
  it('made over by another key is not sound for who pins the right one', async () => {
    const dir = copy();
    const key = signer(2);
    editFile(dir, 'manifest.note', (text) => note(`${text.split('\n\n')[0]}\n`, key));
    writeFileSync(join(dir, 'keys.txt'), `${key.vkey}\n`);
    expect((await check(dir)).found).toContain('wrong_key');
  });

  it('cannot say that all is well without a checkpoint, nor without a tree', async () => {
    expect(await check(writeAnew((manifest) => ({ ...manifest, checkpoint: null })))).toMatchObject({
      found: ['checkpoint_forged'],
    });
    const bare = await check(writeAnew((manifest) => ({ ...manifest, checkpoint: null, tree: null })));
    expect(bare).toMatchObject({ verdict: 'not_sound' });
  });

  it('names another tree than its checkpoint', async () => {
    const tree = { head: 'ab'.repeat(32), root: 'cd'.repeat(32), size: 40 };
    expect((await check(writeAnew((manifest) => ({ ...manifest, tree })))).found).toEqual(['tree_changed']);
  });

  it('hands on what he found wrong, each entry once', async () => {
    const verification = { checked: 3, firstInvalidSeq: 3, macs: true, reason: 'entry_forged', valid: false };
    const damaged = [
      { reason: 'entry_forged', seq: 3 },
      { reason: 'seal_forged', seq: 20 },
    ];
    const { found } = await check(writeAnew((manifest) => ({ ...manifest, verification, damaged })));
    expect(found).toEqual(['entry_forged 3', 'seal_forged 20']);
  });
});
