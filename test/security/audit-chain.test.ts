import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type ChainRow,
  chainHash,
  createChainVerifier,
  entryHmac,
  genesisHash,
  leafHash,
  verifyChain,
} from '../../security/audit-chain.ts';
import { canonicalJson } from '../../security/canonical-json.ts';

const origin = 'https://trade.example.com';
const auditKey = createSecretKey(randomBytes(32));
const auditKeys = [auditKey];

function seal(entries: readonly string[]): (ChainRow & { entry: string; entryHmac: Buffer })[] {
  let prevHash = genesisHash(origin);
  return entries.map((entry, index) => {
    const row = {
      seq: index,
      entry,
      prevHash,
      hash: chainHash(prevHash, entry),
      leafHash: leafHash(entry),
      entryHmac: entryHmac(auditKey, entry),
    };
    prevHash = row.hash;
    return row;
  });
}

const entry = (n: number) => canonicalJson({ action: 'login.succeeded', id: `entry-${n}`, n });
const log = (length = 10) => seal(Array.from({ length }, (_, n) => entry(n)));
const withRow = (rows: ChainRow[], seq: number, change: Partial<ChainRow>) =>
  rows.map((row) => (row.seq === seq ? { ...row, ...change } : row));
const verify = (rows: ChainRow[]) => verifyChain(rows, { origin, auditKeys });

describe('the audit chain', () => {
  it('is plain SHA-256 that anybody can compute again', () => {
    const sha256 = (...parts: (string | Buffer)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
    const genesis = sha256(`tradeguard-log/v1\n${origin}`);
    expect(genesisHash(origin)).toEqual(genesis);
    expect(chainHash(genesis, '{"a":1}')).toEqual(sha256(genesis, '{"a":1}'));
    expect(leafHash('{"a":1}')).toEqual(sha256(Buffer.of(0), '{"a":1}'));
  });

  it('uses the leaf hash of RFC 6962: the published value of the empty leaf', () => {
    expect(leafHash('').toString('hex')).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  });

  it('verifies as written, empty or in two runs as well', async () => {
    const rows = log();
    expect(await verify(rows)).toMatchObject({ valid: true, checked: 10, fault: null, head: { seq: 9 } });
    expect(await verify([])).toMatchObject({ valid: true, checked: 0, head: { seq: -1, hash: genesisHash(origin) } });
    const first = await verify(rows.slice(0, 4));
    const second = await verifyChain(rows.slice(4), { origin, auditKeys, after: first.head });
    expect(second).toMatchObject({ valid: true, checked: 6, head: { seq: 9 } });
  });

  it('names the first bad entry and why', async () => {
    const rows = log();
    const other = entry(99);
    const flip = (bytes: Uint8Array) => Buffer.from(bytes.map((byte, index) => (index === 31 ? byte ^ 1 : byte)));
    const row = rows[5];
    if (!row) throw new Error('no row');
    const cases: [ChainRow[], number, string][] = [
      [withRow(rows, 5, { entry: other }), 5, 'hash_mismatch'],
      [withRow(rows, 5, { hash: flip(row.hash) }), 5, 'hash_mismatch'],
      [withRow(rows, 5, { prevHash: flip(row.prevHash) }), 5, 'prev_mismatch'],
      [withRow(rows, 5, { leafHash: flip(row.leafHash) }), 5, 'leaf_mismatch'],
      [withRow(rows, 5, { entryHmac: flip(row.entryHmac) }), 5, 'hmac_mismatch'],
      [withRow(rows, 5, { entryHmac: Buffer.alloc(0) }), 5, 'hmac_mismatch'],
      [withRow(rows, 5, { hash: Buffer.alloc(0) }), 5, 'hash_mismatch'],
      [rows.filter(({ seq }) => seq !== 5), 5, 'gap'],
      [rows.slice(1), 0, 'gap'],
      [withRow(rows, 5, { entry: null, entryHmac: null }), 5, 'entry_missing'],
      [withRow(rows, 5, { entryHmac: null }), 5, 'hmac_mismatch'],
      [[...rows.slice(0, 6), row, ...rows.slice(6)], 5, 'out_of_order'],
    ];
    for (const [tampered, seq, reason] of cases) {
      expect(await verify(tampered)).toMatchObject({
        valid: false,
        checked: reason === 'out_of_order' ? 6 : seq,
        fault: { seq, reason },
      });
    }
  });

  it('sees an entry removed, exchanged or added even when all later rows are hashed again without the key', async () => {
    const rows = log();
    const entries = rows.map((row) => row.entry);
    const rehash = (changed: string[]) =>
      seal(changed).map((row) => ({
        ...row,
        entryHmac: rows.find((old) => old.entry === row.entry)?.entryHmac ?? Buffer.alloc(32),
      }));
    expect(await verify(rehash(entries.with(4, entry(99))))).toMatchObject({
      fault: { seq: 4, reason: 'hmac_mismatch' },
    });
    // Entries that were only removed keep their MACs: the head published elsewhere tells.
    const published = { seq: 9, hash: Buffer.from(rows[9]?.hash ?? []) };
    const shorter = await verifyChain(rehash(entries.toSpliced(4, 1)), { origin, auditKeys, published });
    expect(shorter).toMatchObject({ valid: false, fault: { seq: 9, reason: 'truncated' } });
    const swapped = entries.with(4, entries[5] ?? '').with(5, entries[4] ?? '');
    const longer = [...swapped, entry(10)];
    expect(await verifyChain(rehash(longer), { origin, published })).toMatchObject({
      fault: { seq: 9, reason: 'head_mismatch' },
    });
    expect(await verifyChain(log(12), { origin, auditKeys, published })).toMatchObject({ valid: true, checked: 12 });
    expect(await verifyChain(rehash(swapped), { origin, auditKeys, published })).toMatchObject({
      fault: { seq: 9, reason: 'head_mismatch' },
    });
  });

  it('does not verify under the origin of another log', async () => {
    expect(await verifyChain(log(), { origin: 'https://other.example.com', auditKeys })).toMatchObject({
      fault: { seq: 0, reason: 'prev_mismatch' },
    });
    expect(() => genesisHash('')).toThrow(TypeError);
    expect(() => genesisHash('a\nb')).toThrow(TypeError);
  });

  it('verifies MACs of an earlier key, refuses those of another, and can do without a key', async () => {
    const rows = log();
    const newKey = createSecretKey(randomBytes(32));
    expect(await verifyChain(rows, { origin, auditKeys: [newKey, auditKey] })).toMatchObject({ valid: true });
    expect(await verifyChain(rows, { origin, auditKeys: [newKey] })).toMatchObject({
      fault: { seq: 0, reason: 'hmac_mismatch' },
    });
    const withoutMac = withRow(rows, 5, { entryHmac: Buffer.alloc(32) });
    expect(await verifyChain(withoutMac, { origin })).toMatchObject({ valid: true });
  });

  it('uses the HMAC-SHA256 of RFC 4231 test case 2 on the entry alone', () => {
    expect(entryHmac(createSecretKey(Buffer.from('Jefe')), 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('sees a column that says something else than the entry', async () => {
    const rows = log(3);
    const columns = (n: number) => ({ action: 'login.succeeded', id: `entry-${n}`, n });
    const right = rows.map((row, n) => ({ ...row, columns: columns(n) }));
    expect(await verify(right)).toMatchObject({ valid: true });
    expect(await verify(withRow(right, 2, { columns: { ...columns(2), action: 'login.failed' } }))).toMatchObject({
      fault: { seq: 2, reason: 'column_mismatch' },
    });
    expect(await verify(withRow(right, 2, { columns: { userId: 'someone' } }))).toMatchObject({
      fault: { seq: 2, reason: 'column_mismatch' },
    });
    const ambiguous = seal(['{"action":"a","action":"b"}']).map((row) => ({ ...row, columns: { action: 'b' } }));
    expect(await verify(ambiguous)).toMatchObject({ fault: { seq: 0, reason: 'not_canonical' } });
  });

  it('holds each seal against the check that its sealer brings', async () => {
    const rows = log(3).map((row) => ({ ...row, sealedBy: row.seq === 1 ? 'eve' : 'sealer' }));
    expect(await verifyChain(rows, { origin, checkSeal: (row) => row.sealedBy === 'sealer' })).toMatchObject({
      fault: { seq: 1, reason: 'seal_mismatch' },
    });
  });

  it('says nothing new behind the first fault', () => {
    const verifier = createChainVerifier({ origin, auditKeys });
    const rows = log();
    verifier.push(rows[0] as ChainRow);
    const fault = verifier.push(rows[2] as ChainRow);
    expect(fault).toEqual({ seq: 1, reason: 'gap' });
    expect(verifier.push(rows[1] as ChainRow)).toBe(fault);
    expect(verifier.end()).toMatchObject({ valid: false, checked: 1, fault });
  });
});
