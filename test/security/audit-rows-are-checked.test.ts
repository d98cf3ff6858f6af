import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createRangeCheck } from '../../db/audit-check.ts';
import type { SealedRow } from '../../db/audit-rows.ts';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { createCompactRange } from '../../security/merkle.ts';
import { entryHmac, sealHmac } from '../helpers/audit-macs.ts';
import { rowFields, sealedRowBytes } from '../helpers/sealed-row-bytes.ts';

const auditKey = createSecretKey(randomBytes(32));
const otherKey = createSecretKey(randomBytes(32));
const AT = '2026-11-25T10:00:00.000001Z';
const ID = (n: number) => `0190a5a0-0000-7000-8000-${String(n).padStart(12, '0')}`;

const text = (n: number, changed: object = {}) =>
  canonicalJson({
    ...{ v: 1, id: ID(n), at: AT, action: 'login.succeeded', actor: { kind: 'user', id: 'u' }, outcome: 'success' },
    ...{ subject: { kind: 'user', id: 'u' }, severity: 'info', ip: null, userAgent: 'curl/8', requestId: 'r-1' },
    ...{ workflowId: null, details: { n }, ...changed },
  });

/** Chains texts as the sealer does; a text that is none of the log has no right MAC. */
function seal(texts: readonly string[], key = auditKey): SealedRow[] {
  let prevHash = genesisHash('log');
  return texts.map((entry, seq) => {
    const id = ID(Number(/"n":(\d+)/.exec(entry)?.[1] ?? seq));
    const links = { prevHash, hash: chainHash(prevHash, entry), leafHash: leafHash(entry) };
    const sealed = { seq, entryId: id, n: '1', era: '0', xid: '7', sealedAt: AT, horizon: null, ...links };
    prevHash = links.hash;
    const stored = { action: 'login.succeeded', actor: 'u', subject: 'u', outcome: 'success', severity: 'info' };
    return {
      ...sealed,
      ...{ entry, entryHmac: entryHmac(auditKey, entry), sealMac: sealHmac(key, sealed) },
      stored: { id, at: AT, ...stored },
    };
  });
}

/** What a column may say that its entry does not. */
const OTHER = {
  ...{ id: ID(99), at: '2026-11-25T10:00:00.000002Z', action: 'login.succeeded2', actor: 'v', subject: '' },
  ...{ outcome: 'succes', severity: 'high' },
} as const;
const log = (length = 10) => seal(Array.from({ length }, (_, n) => text(n)));
const withRow = (rows: SealedRow[], seq: number, change: Partial<SealedRow>) =>
  rows.map((row) => (row.seq === seq ? { ...row, ...change } : row));
const flip = (bytes: Uint8Array) => Buffer.from(bytes.map((byte, index) => (index === 31 ? byte ^ 1 : byte)));

function walked(rows: readonly SealedRow[], { keys = [auditKey], from = 0, to = 10, sizes = [] as number[] } = {}) {
  const walk = createRangeCheck(keys).walk({ from, to, sizes });
  for (const row of rows) if (walk.push(row)) break;
  const found = walk.end();
  // From bytes, as verification takes them: the objects of rows that are not sound as they are.
  const bytesWalk = createRangeCheck(keys).walk({ from, to, sizes });
  for (const row of rows) if (!bytesWalk.pushSound(rowFields(sealedRowBytes(row))) && bytesWalk.push(row)) break;
  expect(bytesWalk.end()).toEqual(found);
  return found;
}

describe('a range of the audit log', () => {
  it('is sound as written, empty and in two parts as well', () => {
    const rows = log();
    expect(walked(rows)).toMatchObject({
      checked: 10,
      fault: null,
      firstPrev: genesisHash('log'),
      last: rows[9]?.hash,
    });
    expect(walked([], { to: 0 })).toMatchObject({ checked: 0, fault: null, firstPrev: null, last: null });
    const [first, second] = [walked(rows.slice(0, 4), { to: 4 }), walked(rows.slice(4), { from: 4 })];
    expect([first.checked, second.checked]).toEqual([4, 6]);
    expect(second.firstPrev).toEqual(first.last);
  });

  it('gives head and tree at every size that is asked for', () => {
    const rows = log();
    const { points, subtrees } = walked(rows, { sizes: [1, 4, 7, 10] });
    expect(points.map(({ size }) => size)).toEqual([1, 4, 7, 10]);
    const tree = createCompactRange();
    for (const row of rows) {
      tree.push(row.leafHash);
      const point = points.find(({ size }) => size === row.seq + 1);
      if (point) expect([point.head, point.subtrees]).toEqual([row.hash, tree.hashes()]);
    }
    expect(subtrees).toEqual(tree.hashes());
  });

  it('names the first row that is wrong, and what shows', () => {
    const rows = log();
    const row = rows[5] as SealedRow;
    const cases: [SealedRow[], number, string][] = [
      [withRow(rows, 5, { entry: text(99) }), 5, 'hash'],
      [withRow(rows, 5, { hash: flip(row.hash) }), 5, 'hash'],
      [withRow(rows, 5, { hash: Buffer.alloc(0) }), 5, 'hash'],
      [withRow(rows, 5, { prevHash: flip(row.prevHash) }), 5, 'link'],
      [withRow(rows, 5, { leafHash: flip(row.leafHash) }), 5, 'leaf'],
      [withRow(rows, 5, { entryHmac: flip(row.entryHmac as Buffer) }), 5, 'entry_mac'],
      [withRow(rows, 5, { entryHmac: Buffer.alloc(0) }), 5, 'entry_mac'],
      [withRow(rows, 5, { entryHmac: null }), 5, 'entry_mac'],
      [withRow(rows, 5, { sealMac: flip(row.sealMac) }), 5, 'seal_mac'],
      [withRow(rows, 5, { xid: '8' }), 5, 'seal_mac'],
      [withRow(rows, 5, { horizon: '9:9:' }), 5, 'seal_mac'],
      [withRow(rows, 5, { sealMac: flip(row.sealMac), entryHmac: null }), 5, 'both_macs'],
      [rows.filter(({ seq }) => seq !== 5), 5, 'gap'],
      [rows.slice(1), 0, 'gap'],
      [rows.slice(0, 7), 7, 'gap'],
      [withRow(rows, 5, { entry: null, entryHmac: null }), 5, 'entry_missing'],
      [[...rows.slice(0, 6), row, ...rows.slice(6)], 6, 'gap'],
    ];
    for (const [tampered, seq, symptom] of cases) {
      expect(walked(tampered), symptom).toMatchObject({ checked: seq, fault: { seq, symptom } });
    }
  });

  it('sees an entry changed, removed or exchanged even when all later rows are hashed again without the key', () => {
    const texts = log().map((row) => row.entry as string);
    const withoutKey = (changed: string[]) =>
      seal(changed, otherKey).map((row) => ({
        ...row,
        // Genuine entries keep their MACs, and rows before the change their seals.
        entryHmac: texts.includes(row.entry as string) ? row.entryHmac : Buffer.alloc(32),
        sealMac: row.entry === texts[row.seq] && row.seq < 4 ? (log()[row.seq] as SealedRow).sealMac : row.sealMac,
      }));
    const swapped = texts.with(4, texts[5] ?? '').with(5, texts[4] ?? '');
    for (const changed of [texts.with(4, text(99)), texts.toSpliced(4, 1), swapped, [...swapped, text(10)]]) {
      expect(walked(withoutKey(changed), { to: changed.length })).toMatchObject({
        ...{ checked: 4, fault: { seq: 4, symptom: 'rewritten' } },
      });
    }
  });

  it('takes MACs of an earlier key and refuses those of another', () => {
    expect(walked(log(), { keys: [otherKey, auditKey] }).fault).toBeNull();
    expect(walked(log(), { keys: [otherKey] })).toMatchObject({ fault: { seq: 0, symptom: 'rewritten' } });
  });

  it.each(['id', 'at', 'action', 'actor', 'subject', 'outcome', 'severity'] as const)(
    'sees a column %s that says something else than the entry',
    (column) => {
      const rows = log();
      const stored = (rows[2] as SealedRow).stored;
      for (const said of [OTHER[column], null]) {
        expect(walked(withRow(rows, 2, { stored: { ...stored, [column]: said } }))).toMatchObject({
          fault: { seq: 2, symptom: 'column' },
        });
      }
    },
  );

  it('takes entries from before there were severities, whose column is empty', () => {
    const old = (n: number) => text(n).replace(',"severity":"info"', '');
    const rows = seal([0, 1].map(old)).map((row) => ({ ...row, stored: { ...row.stored, severity: null } }));
    expect(rows[0]?.entry).not.toContain('severity');
    expect(walked(rows, { to: 2 })).toMatchObject({ checked: 2, fault: null });
  });

  it('refuses a text that is no JSON, though its hashes and MACs hold', () => {
    expect(walked(seal(['{"n":0'] as string[]), { to: 1 })).toMatchObject({
      fault: { seq: 0, symptom: 'not_canonical' },
    });
  });

  it('says nothing new behind the first fault', () => {
    const rows = log();
    const walk = createRangeCheck([auditKey]).walk({ from: 0, to: 10, sizes: [] });
    expect(walk.push(rows[0] as SealedRow)).toBe(false);
    expect(walk.push(rows[2] as SealedRow)).toBe(true);
    expect(walk.push(rows[1] as SealedRow)).toBe(true);
    expect(walk.end()).toMatchObject({ checked: 1, fault: { seq: 1, symptom: 'gap' } });
  });
});
