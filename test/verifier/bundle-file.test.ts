import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../security/canonical-json.ts';
import { openBundleFile } from '../../verifier/bundle-file.ts';
import { parseVerifierKey } from '../../verifier/note.ts';
import { UnreadableError } from '../../verifier/pool.ts';
import { verify } from '../../verifier/verify.ts';
import { log, signer, writeEvidence } from './export-fixture.ts';

interface Part {
  name: string;
  text?: string;
  base64?: string;
}

let folder: string;
/** The files of a sound bundle. */
let parts: Part[];
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-bundle-file-'));
  const dir = writeEvidence(join(folder, 'sound'), log(40), [0, 3, 39]);
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'checkpoints');
  parts = names.map((name) => {
    const bytes = readFileSync(join(dir, name));
    return name.endsWith('.gz') ? { name, base64: bytes.toString('base64') } : { name, text: bytes.toString('utf8') };
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(bytes: Uint8Array | string): string {
  count += 1;
  const path = join(folder, `${count}.json.gz`);
  writeFileSync(path, bytes);
  return path;
}
const documentOf = (files: unknown, format = 'tradeguard-evidence/v1') =>
  file(gzipSync(canonicalJson({ files, format })));
const pinned = [parseVerifierKey(signer().vkey)].filter((key) => key !== null);
const check = (path: string) => verify({ dirs: [path], pinned, auditKeys: [], checkpoints: null, threads: 1 });
const changed = (name: string, change: (part: Part) => Part) =>
  documentOf(parts.map((part) => (part.name === name ? change(part) : part)));

describe('a bundle in one file', () => {
  it('is judged as its folder is', async () => {
    const path = documentOf(parts);
    const verdict = await check(path);
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'sound', entries: 3 });
    const folderVerdict = await check(join(folder, 'sound'));
    const { exports: ofFile, ...fromFile } = verdict;
    const { exports: ofFolder, ...fromFolder } = folderVerdict;
    expect(JSON.stringify(fromFile).replaceAll(path, 'X')).toBe(
      JSON.stringify(fromFolder).replaceAll(join(folder, 'sound'), 'X'),
    );
    expect(ofFile.map(({ dir: _, ...one }) => one)).toEqual(ofFolder.map(({ dir: _, ...one }) => one));
  });

  it('may be as large as a server makes it', () => {
    const bytes = Buffer.alloc(16 * 1024 * 1024, 7);
    const path = documentOf([{ name: 'entries.ndjson.gz', base64: bytes.toString('base64') }]);
    expect(openBundleFile(path).read('entries.ndjson.gz')?.equals(bytes)).toBe(true);
  });

  it('is not sound when one of its files is another one, or is missing', async () => {
    const manifest = await check(changed('manifest.json', (part) => ({ ...part, text: `${part.text} ` })));
    expect(manifest).toMatchObject({ verdict: 'not_sound', reason: 'manifest_forged' });
    const entries = await check(
      changed('entries.ndjson.gz', (part) => ({ ...part, base64: gzipSync('').toString('base64') })),
    );
    expect(entries.verdict).toBe('not_sound');
    // Keys that come with it prove nothing beside one that is pinned.
    for (const { name } of parts.filter(({ name }) => name !== 'manifest.json' && name !== 'keys.txt')) {
      const without = await check(documentOf(parts.filter((one) => one.name !== name)));
      expect(without.verdict, name).toBe('not_sound');
    }
  });

  it.each<[string, () => string, string]>([
    ['nothing', () => file(''), 'it is not gzip, or cut short'],
    ['something else', () => file('{"files":[]}'), 'it is not gzip, or cut short'],
    ['half of one', () => file(readFileSync(documentOf(parts)).subarray(0, 900)), 'it is not gzip, or cut short'],
    ['what is not UTF-8', () => file(gzipSync(Buffer.from([0x22, 0xff, 0x22]))), 'it is not UTF-8'],
    ['JSON that is not canonical', () => file(gzipSync('{ "files": [] }')), 'it is not canonical JSON'],
    ['another format', () => documentOf(parts, 'tradeguard-evidence/v2'), 'its format is not tradeguard-evidence/v1'],
    ['no list', () => documentOf({}), 'its format is not tradeguard-evidence/v1'],
    ['one name twice', () => documentOf([...parts, { name: 'keys.txt', text: '' }]), 'keys.txt is in it twice'],
    ['a way out of it', () => documentOf([{ name: '../keys.txt', text: '' }]), 'one of its files has no name'],
    ['an absolute name', () => documentOf([{ name: '/etc/passwd', text: '' }]), 'one of its files has no name'],
    [
      'a name of megabytes',
      () => documentOf([{ name: 'a/'.repeat(8_000_000).concat('a'), text: '' }]),
      'one of its files has no name',
    ],
    ['no base64', () => documentOf([{ name: 'a', base64: 'AAA' }]), 'a is not base64'],
    ['no text', () => documentOf([{ name: 'a', text: 7 }]), 'a has no content'],
    ['more than files', () => documentOf([{ name: 'a', text: '', more: 1 }]), 'one of its files has no name'],
    [
      'too many files',
      () => documentOf(Array.from({ length: 65 }, (_, n) => ({ name: `a${n}`, text: '' }))),
      'it has more than 64 files',
    ],
  ])('that holds %s is refused', async (_, make, why) => {
    const path = make();
    expect(() => openBundleFile(path)).toThrow(new UnreadableError(`${path} is no evidence bundle: ${why}`));
    await expect(check(path)).rejects.toBeInstanceOf(UnreadableError);
  });

  it('is not unpacked further than a bundle reaches', () => {
    const bomb = file(gzipSync(Buffer.alloc(3_000_000, 0x20)));
    const limits = { file: 1_000_000, document: 2_000_000 };
    expect(() => openBundleFile(bomb, limits)).toThrow('it unpacks to more than 2000000 bytes');
    const large = file(Buffer.alloc(1_000_001));
    expect(() => openBundleFile(large, limits)).toThrow('it has more than 1000000 bytes');
  });
});
