import { describe, expect, it } from 'vitest';
import { at, attacked, before, checkpoints, LENGTH, published, SIZES, verdictOn, WITH_KEY } from './attacked-log.ts';
import { blank, columnsOf, entryText, log, type Row, rechain, renumber, seal } from './export-fixture.ts';

describe('a sound log', () => {
  it.each([
    ['without the audit key', {}],
    ['with it', WITH_KEY],
    ['on several threads', { threads: 3 }],
  ])('is sound %s', async (_, over) => {
    const verdict = await verdictOn(before, { checkpoints }, over);
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'sound', entries: LENGTH, reason: null, firstInvalidSeq: null });
    expect(verdict.checkpoints).toEqual({ given: SIZES.length, agreed: SIZES.length, abandoned: 0, outside: 0 });
  });

  it('of any length, with every checkpoint there can be', async () => {
    for (const length of [0, 1, 2, 7, 8, 9, 16, 17]) {
      const rows = log(length);
      const all = published(rows, ...Array.from({ length: length + 1 }, (_, size) => size));
      const verdict = await verdictOn(rows, { checkpoints: all, perFile: 4 });
      expect(verdict).toMatchObject({ verdict: 'sound', entries: length, checkpoints: { agreed: length + 1 } });
    }
  });

  it('says which entries no checkpoint confirms', async () => {
    const { verdict, notes } = await verdictOn(before, { checkpoints: published(before, 13) });
    expect(verdict).toBe('sound');
    expect(notes).toEqual(['Entries 13 to 39 are newer than the last checkpoint that was found.']);
    expect((await verdictOn(before, { checkpoints: [] })).notes[0]).toContain(
      'made anew as a whole would look the same',
    );
  });
});

// Positions at either edge of a file of eight lines, in its middle, first and last.
const PLACES = [1, 7, 8, 11, 38];

describe('attacks on entries', () => {
  it.each([0, ...PLACES, 39])('entry %i changed', async (seq) => {
    const found = await attacked((rows) => {
      at(rows, seq).entry = at(rows, seq).entry?.replace('250.00', '950.00') as string;
    });
    expect(found).toMatchObject({ reason: 'entry_changed', seq, all: [{}] });
  });

  it.each(PLACES)('entry %i changed together with its own hashes', async (seq) => {
    const found = await attacked((rows) => {
      at(rows, seq).entry = entryText(seq, { outcome: 'denied' });
      at(rows, seq).columns = columnsOf(at(rows, seq).entry as string);
      seal(at(rows, seq), at(rows, seq - 1).hash);
    });
    expect(found).toMatchObject({ reason: 'entry_changed', seq, all: [{}] });
  });

  it('entry changed together with its leaf', async () => {
    const found = await attacked((rows) => {
      const { hash } = at(rows, 11);
      at(rows, 11).entry = entryText(11, { ip: '1.1.1.1' });
      seal(at(rows, 11), at(rows, 10).hash).hash = hash;
    });
    expect(found).toMatchObject({ reason: 'entry_changed', seq: 11 });
  });

  it.each([0, ...PLACES])('entry %i deleted, its seal left', async (seq) => {
    const found = await attacked((rows) =>
      Object.assign(at(rows, seq), { entry: null, columns: null, entryHmac: null }),
    );
    expect(found).toMatchObject({ reason: 'entry_deleted', seq, all: [{}] });
  });

  it.each([0, ...PLACES])('entry %i deleted with its seal', async (seq) => {
    const found = await attacked((rows) => rows.splice(seq, 1));
    expect(found).toMatchObject({ reason: 'entry_deleted', seq, all: [{}] });
  });

  it.each(PLACES)('entry %i deleted with its seal, the others numbered anew', async (seq) => {
    const found = await attacked((rows) => {
      rows.splice(seq, 1);
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entry_deleted', seq });
    // The log is shorter now than what was published.
    expect(found.all.map(({ reason }) => reason)).toEqual(['entry_deleted', 'tail_truncated']);
  });

  it('several entries deleted', async () => {
    const found = await attacked((rows) => rows.splice(6, 5));
    expect(found).toMatchObject({ reason: 'entry_deleted', seq: 6, all: [{}] });
  });

  it.each(PLACES)('entry inserted as %i, linked to the one before', async (seq) => {
    const found = await attacked((rows) => {
      rows.splice(seq, 0, seal(blank(seq, entryText(900)), at(rows, seq - 1).hash, Buffer.alloc(32, 1)));
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entry_inserted', seq, all: [{}] });
  });

  it('several entries inserted, as a chain of their own', async () => {
    const found = await attacked((rows) => {
      const first = seal(blank(6, entryText(900)), at(rows, 5).hash);
      const second = seal(blank(7, entryText(901)), first.hash);
      rows.splice(6, 0, first, second);
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entry_inserted', seq: 6, all: [{}] });
  });

  it('entry inserted that links nowhere', async () => {
    const found = await attacked((rows) => {
      rows.splice(11, 0, seal(blank(11, entryText(900)), 'ab'.repeat(32)));
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entry_inserted', seq: 11, all: [{}] });
  });

  it('entry inserted as a copy of a later one', async () => {
    const found = await attacked((rows) => {
      rows.splice(11, 0, { ...at(rows, 20) });
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entry_inserted', seq: 11 });
    expect(found.all.map(({ reason, seq }) => [reason, seq])).toContainEqual(['sealed_twice', 21]);
  });

  it.each([
    [7, 8],
    [8, 9],
    [11, 30],
    [0, 39],
  ])('entries %i and %i swapped, their seals left', async (one, other) => {
    const found = await attacked((rows) => {
      const [a, b] = [{ ...at(rows, one) }, { ...at(rows, other) }];
      const own = ({ entry, entryHmac, columns, id, n, xid }: Row) => ({ entry, entryHmac, columns, id, n, xid });
      Object.assign(at(rows, one), own(b));
      Object.assign(at(rows, other), own(a));
    });
    expect(found).toMatchObject({ reason: 'entries_swapped', seq: one, all: [{}] });
  });

  it.each([
    [7, 8],
    [8, 9],
    [11, 30],
  ])('entries %i and %i swapped with their seals', async (one, other) => {
    const found = await attacked((rows) => {
      [rows[one], rows[other]] = [at(rows, other), at(rows, one)];
      renumber(rows);
    });
    expect(found).toMatchObject({ reason: 'entries_swapped', seq: one, all: [{}] });
  });

  it.each([0, ...PLACES])('numbers skipped before entry %i', async (seq) => {
    const found = await attacked((rows) => {
      for (const row of rows.slice(seq)) row.seq += 3;
    });
    expect(found).toMatchObject({ reason: 'sequence_gap', seq, all: [{}] });
  });

  it('one entry sealed twice', async () => {
    const found = await attacked((rows) => {
      rows.push(seal({ ...at(rows, 5), seq: LENGTH }, at(rows, LENGTH - 1).hash));
    }, WITH_KEY);
    expect(found).toMatchObject({ reason: 'sealed_twice', seq: LENGTH, all: [{}] });
  });

  it('text that is not canonical', async () => {
    for (const text of [
      entryText(40).replace('{', '{ '),
      entryText(40).replace('"v":1', '"v":1,"v":1'),
      entryText(40).replace('"v":1', '"v":1.0'),
      entryText(40).replace('€', '\\u20ac'),
    ]) {
      const rows = log(LENGTH);
      rows.push(seal({ ...blank(LENGTH), entry: text }, at(rows, LENGTH - 1).hash));
      const { reason, firstInvalidSeq } = await verdictOn(rows, { checkpoints });
      expect([reason, firstInvalidSeq], text).toEqual(['not_canonical', LENGTH]);
    }
  });

  it('a log of another key: the first of each kind is named, the others are counted', async () => {
    const rows = log(100);
    rechain(rows, 10, Buffer.alloc(32, 1));
    const { findings, notes } = await verdictOn(rows, { perFile: 128 }, WITH_KEY);
    expect(findings.map(({ reason, seq }) => [reason, seq])).toEqual([
      ['entry_forged', 10],
      ['seal_forged', 10],
    ]);
    expect(notes).toEqual([expect.stringMatching(/^90 lines of .* the first 64 were named\.$/)]);
  });

  it('two attacks are told of both', async () => {
    const found = await attacked((rows) => {
      at(rows, 5).entry = entryText(5, { ip: '1.1.1.1' });
      rows.splice(20, 1);
    });
    expect(found.all.map(({ reason, seq }) => [reason, seq])).toEqual([
      ['entry_changed', 5],
      ['entry_deleted', 20],
    ]);
  });
});

describe('attacks on columns', () => {
  it.each(['id', 'at', 'action', 'actor', 'subject', 'outcome', 'severity'])('%s', async (name) => {
    const found = await attacked((rows) => {
      at(rows, 11).columns = { ...at(rows, 11).columns, [name]: 'other' };
    });
    expect(found).toMatchObject({
      reason: 'column_changed',
      seq: 11,
      all: [{ detail: expect.stringContaining(name) }],
    });
  });

  it.each(PLACES.flatMap((seq) => (['prevHash', 'hash', 'leafHash'] as const).map((name) => ({ seq, name }))))(
    '$name of entry $seq',
    async ({ seq, name }) => {
      const found = await attacked((rows) => {
        at(rows, seq)[name] = at(rows, seq)[name].replace(/^../, (byte) => (byte === 'ff' ? '00' : 'ff'));
      });
      expect(found).toMatchObject({ reason: 'column_changed', seq, all: [{}] });
    },
  );

  it.each([
    ['entryHmac', 'ab'.repeat(32), 'entry_forged'],
    ['sealHmac', 'ab'.repeat(32), 'seal_forged'],
    ['n', '999', 'seal_forged'],
    ['xid', '999', 'seal_forged'],
    ['era', 4, 'seal_forged'],
    ['sealedAt', '2026-01-01T00:00:00.000000Z', 'seal_forged'],
    ['horizon', '1:1:', 'seal_forged'],
  ])('%s, for who holds the audit key', async (name, value, reason) => {
    const attack = (rows: Row[]) => Object.assign(at(rows, 11), { [name]: value });
    expect(await attacked(attack, WITH_KEY)).toMatchObject({ reason, seq: 11, all: [{}] });
  });
});

describe('forgery by one who holds only the database', () => {
  const forge = (rows: Row[]) => {
    rows.splice(25);
    rows.push(blank(25, entryText(25, { outcome: 'denied' })));
    rechain(rows, 25, Buffer.alloc(32, 1));
  };

  it('is seen with the audit key', async () => {
    const rows = log(LENGTH);
    forge(rows);
    const found = await verdictOn(rows, { checkpoints: published(before, 8) }, WITH_KEY);
    expect(found.findings.map(({ reason, seq }) => [reason, seq])).toEqual([
      ['entry_forged', 25],
      ['seal_forged', 25],
    ]);
  });

  it('is told by the exporter, who signed it, to whoever holds no key', async () => {
    const rows = log(LENGTH);
    forge(rows);
    const verification = { checked: 25, firstInvalidSeq: 25, macs: true, reason: 'entry_forged', valid: false };
    const found = await verdictOn(rows, { checkpoints: published(before, 8), manifest: { verification } });
    expect(found).toMatchObject({ verdict: 'not_sound', reason: 'entry_forged', firstInvalidSeq: 25 });
    expect(found.findings).toMatchObject([{ by: 'exporter' }]);
  });

  it('before sealing, by either', async () => {
    const { id, entry } = blank(LENGTH);
    const pending = (genuine: boolean) => ({
      manifest: { pending: [{ id, entry, entryHmac: 'ab'.repeat(32), genuine }] },
    });
    const told = await verdictOn(before, pending(false));
    expect(told).toMatchObject({ reason: 'changed_before_sealing', firstInvalidSeq: null, pending: 1 });
    const seen = await verdictOn(before, pending(true), WITH_KEY);
    expect(seen).toMatchObject({ reason: 'changed_before_sealing', firstInvalidSeq: null });
  });

  it('a seal that is right but for its MAC', async () => {
    const found = await attacked((rows) => {
      const last = at(rows, 39);
      seal(last, last.prevHash, Buffer.alloc(32, 1)).entryHmac = at(log(LENGTH), 39).entryHmac;
    }, WITH_KEY);
    expect(found).toMatchObject({ reason: 'seal_forged', seq: 39, all: [{}] });
  });

  it('an earlier audit key is believed as well', async () => {
    const rows = log(LENGTH);
    rechain(rows, 0, Buffer.alloc(32, 9));
    const auditKeys = [...WITH_KEY.auditKeys, Buffer.alloc(32, 9).toString('base64')];
    expect(await verdictOn(rows, {}, { auditKeys })).toMatchObject({ verdict: 'sound', macs: 'checked' });
  });
});
