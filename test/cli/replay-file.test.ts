import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReplayRow, readRows, scanFile } from '../../cli/replay-file.ts';
import { openJournal } from '../../cli/replay-journal.ts';
import { sampleCsv } from '../../cli/replay-sample.ts';

const HEADER = 'tx_id,ts,account,counterparty,amount,label,scenario';
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function all(path: string): Promise<ReplayRow[]> {
  const rows: ReplayRow[] = [];
  for await (const row of readRows(path)) rows.push(row);
  return rows;
}

describe('a file to replay', () => {
  it('is read the same packed and unpacked', async () => {
    const text = `${HEADER}\n1,2018-06-01T00:35:57Z,3381,3250,122.28,0,0\n2,2018-06-01T02:35:57+01:00,3381,,8.5,1,2\n`;
    const plain = await all(file('plain.csv', text));
    expect(plain).toEqual(await all(file('packed.csv.gz', gzipSync(text))));
    expect(plain).toEqual([
      {
        n: 0,
        txId: '1',
        ts: '2018-06-01T00:35:57Z',
        at: Date.UTC(2018, 5, 1, 0, 35, 57),
        account: '3381',
        counterparty: '3250',
        amount: '122.28',
        label: 0,
        scenario: '0',
        type: 'withdrawal',
        category: undefined,
        currency: 'USD',
      },
      expect.objectContaining({ ts: '2018-06-01T01:35:57.000Z', counterparty: undefined, label: 1, scenario: '2' }),
    ]);
  });

  it('is known by its hash, rows and times before anything is sent', async () => {
    const path = file(
      'scan.csv',
      `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.00,0,0\n2,2018-06-02T00:00:00Z,a,b,1.00,0,0\n`,
    );
    expect(await scanFile(path)).toMatchObject({
      rows: 2,
      firstTs: '2018-06-01T00:35:57Z',
      lastTs: '2018-06-02T00:00:00Z',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it.each([
    ['a missing column', 'tx_id,ts,account,amount\n', /header lacks counterparty, label, scenario/],
    ['an unknown column', `${HEADER},colour\n`, /header has colour/],
    ['a negative amount', `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,-1.00,0,0\n`, /line 2: amount: write a decimal/],
    ['a time without a zone', `${HEADER}\n1,2018-06-01 00:35:57,a,b,1.00,0,0\n`, /line 2: ts: write RFC 3339/],
    [
      'a label that is neither 0 nor 1',
      `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.00,yes,0\n`,
      /line 2: label: write 0 or 1/,
    ],
    ['a field too few', `${HEADER}\n1,2018-06-01T00:35:57Z,a,b,1.00,0\n`, /Invalid Record Length/],
    [
      'a time before the one above',
      `${HEADER}\n1,2018-06-02T00:00:00Z,a,b,1,0,0\n2,2018-06-01T00:00:00Z,a,b,1,0,0\n`,
      /line 3: .*Sort by ts/,
    ],
    [
      'a transfer to nobody',
      `${HEADER},type\n1,2018-06-02T00:00:00Z,a,,1,0,0,transfer\n`,
      /a transfer needs the account/,
    ],
  ])('is refused with its line for %s', async (_what, text, message) => {
    await expect(scanFile(file('bad.csv', text))).rejects.toThrow(message);
  });

  it('is refused when it is missing or cut off', async () => {
    await expect(scanFile(join(folder, 'nowhere.csv'))).rejects.toThrow(/no such file/);
    const packed = gzipSync(sampleCsv());
    await expect(scanFile(file('cut.csv.gz', packed.subarray(0, 1000)))).rejects.toThrow(/not a complete gzip file/);
  });
});

describe('the sample', () => {
  it('is what its generator makes', () => {
    expect(readFileSync(join(import.meta.dirname, '../../docs/sample-transactions.csv'), 'utf8')).toBe(sampleCsv());
  });
});

describe('the journal', () => {
  const entry = { kind: 'row', n: 0, account: 'a', label: 0, scenario: '', verdict: 'settled', ms: 1, at: 0 } as const;

  it('gives back what was written, and loses no more than a torn last line', () => {
    const first = openJournal(folder, 'a'.repeat(64));
    expect(first.earlier).toEqual([]);
    first.append(entry);
    first.append({ ...entry, n: 1 });
    first.close();
    writeFileSync(first.path, `${readFileSync(first.path, 'utf8')}{"kind":"ro`);
    const second = openJournal(folder, 'a'.repeat(64));
    expect(second.earlier).toEqual([entry, { ...entry, n: 1 }]);
    second.append({ ...entry, n: 2 });
    second.close();
    expect(openJournal(folder, 'a'.repeat(64)).earlier.map(({ n }) => n)).toEqual([0, 1, 2]);
  });

  it('refuses to go on from a file that somebody edited', () => {
    const journal = openJournal(folder, 'b'.repeat(64));
    journal.close();
    writeFileSync(journal.path, 'nonsense\n{"kind":"end"}\n');
    expect(() => openJournal(folder, 'b'.repeat(64))).toThrow(/line 1 is no JSON/);
  });
});
