import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseVerifierKey } from '../../verifier/note.ts';
import { type VerifyOptions, verify } from '../../verifier/verify.ts';
import {
  AUDIT_KEY,
  blank,
  checkpoint,
  columnsOf,
  type ExportOptions,
  entryText,
  log,
  type Row,
  rechain,
  renumber,
  seal,
  signer,
  writeExport,
} from './export-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'tradeguard-verifier-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let exports = 0;

const WITH_KEY = { auditKeys: [AUDIT_KEY.toString('base64')] };
const published = (rows: readonly Row[], ...sizes: number[]) => sizes.map((size) => checkpoint(rows, size));

async function verdictOn(rows: readonly Row[], options: ExportOptions = {}, over: Partial<VerifyOptions> = {}) {
  exports += 1;
  const dir = writeExport(join(folder, String(exports)), rows, options);
  const pinned = [parseVerifierKey(signer().vkey)].filter((key) => key !== null);
  return verify({ dirs: [dir], pinned, auditKeys: [], checkpoints: null, threads: 2, ...over });
}

const LENGTH = 40;
/** What was published before the attack: also in the folder that the auditor is given. */
const before = log(LENGTH);
const SIZES = [1, 8, 13, 32, 40];
const checkpoints = published(before, ...SIZES);

/** Of a log that was attacked after these checkpoints. */
async function attacked(attack: (rows: Row[]) => void, over: Partial<VerifyOptions> = {}, options: ExportOptions = {}) {
  const rows = log(LENGTH);
  attack(rows);
  const verdict = await verdictOn(rows, { checkpoints, ...options }, over);
  expect(verdict.verdict).toBe('not_sound');
  return { reason: verdict.reason, seq: verdict.firstInvalidSeq, all: verdict.findings };
}
const at = (rows: Row[], seq: number): Row => rows[seq] as Row;

describe('a sound log', () => {
  it.each([
    ['without the audit key', {}],
    ['with it', WITH_KEY],
    ['on one thread', { threads: 1 }],
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

describe('attacks that only what was published shows', () => {
  it('the tail cut off', async () => {
    expect(await attacked((rows) => rows.splice(33))).toMatchObject({ reason: 'tail_truncated', seq: 33, all: [{}] });
    expect(await attacked((rows) => rows.splice(0))).toMatchObject({ reason: 'tail_truncated', seq: 0, all: [{}] });
  });

  it('no more than a part was asked for: nothing is cut off', async () => {
    const options = { checkpoints, from: 8, to: 20, manifest: { logSize: LENGTH } };
    const part = await verdictOn(before, options);
    expect(part).toMatchObject({ verdict: 'sound', checkpoints: { given: 5, agreed: 2, outside: 3 } });
    const cut = await verdictOn(before, { ...options, manifest: { logSize: 39 } });
    expect(cut).toMatchObject({ reason: 'tail_truncated', firstInvalidSeq: 39 });
  });

  const later = (rows: Row[], from: number) => {
    for (const row of rows.slice(from)) row.sealedAt = '2026-01-01T01:00:00.000000Z';
  };

  it.each([0, 2])('the tail cut off and written anew, %i entries longer', async (more) => {
    const found = await attacked((rows) => {
      rows.splice(36);
      for (let seq = 36; seq < LENGTH + more; seq += 1) rows.push(blank(seq, entryText(seq, { ip: '1.1.1.1' })));
      rechain(rows, 36);
      later(rows, 36);
    });
    expect(found).toMatchObject({ reason: 'tail_rewritten', seq: 36, all: [{}] });
  });

  it('the whole chain written anew with right hashes', async () => {
    const change = (seq: number) => (rows: Row[]) => {
      at(rows, seq).entry = entryText(seq, { ip: '1.1.1.1' });
      rechain(rows, seq);
    };
    // Checkpoints over 1, 8 and 13 entries still agree.
    expect(await attacked(change(20))).toMatchObject({ reason: 'history_rewritten', seq: 13, all: [{}] });
    expect(await attacked(change(0))).toMatchObject({ reason: 'history_rewritten', seq: 0, all: [{}] });
  });

  it('a backup restored that lost the tail', async () => {
    const eras = [
      { cluster: '7301', era: 0, startedAt: '2026-01-01T00:00:00.000000Z' },
      { cluster: '7302', era: 1, startedAt: '2026-01-01T02:00:00.000000Z' },
    ];
    const byEra = await attacked((rows) => rows.splice(33), {}, { manifest: { eras } });
    expect(byEra).toMatchObject({ reason: 'restored_without_tail', seq: 33, all: [{}] });
    const byEntry = await attacked((rows) => {
      rows.splice(33);
      rows.push(blank(33, entryText(33, { action: 'backup.restored' })));
      rechain(rows, 33);
      at(rows, 33).sealedAt = '2026-01-01T02:00:00.000000Z';
    });
    expect(byEntry).toMatchObject({ reason: 'restored_without_tail', seq: 34, all: [{}] });
  });

  it('a restore that was accepted is a note: what it lost is abandoned, what it kept still binds', async () => {
    const rows = log(LENGTH).slice(0, 33);
    for (let seq = 33; seq < 36; seq += 1) rows.push(blank(seq, entryText(seq, { ip: '1.1.1.1' })));
    rechain(rows, 33);
    const fork = { fork: 1, kept: 33, lost: 40, time: '2026-01-01T03:00:00.000000Z' };
    const all = [...checkpoints, checkpoint(rows, 33, fork), checkpoint(rows, 36, fork)];
    const found = await verdictOn(rows, { checkpoints: all });
    expect(found).toMatchObject({ verdict: 'sound', restores: [{ fork: 1, kept: 33, lost: 40 }] });
    expect(found.checkpoints).toMatchObject({ given: 7, agreed: 6, abandoned: 1 });

    at(rows, 20).entry = entryText(20, { ip: '2.2.2.2' });
    rechain(rows, 20);
    const forks = [checkpoint(rows, 33, fork), checkpoint(rows, 36, fork)];
    const rewritten = await verdictOn(rows, { checkpoints: [...checkpoints, ...forks] });
    expect(rewritten).toMatchObject({ reason: 'history_rewritten', firstInvalidSeq: 13 });
  });

  it('a tree that is not that of the entries', async () => {
    const wrong = checkpoint(before, 40, { root: 'ab'.repeat(32) });
    expect(await verdictOn(before, { checkpoints: [wrong] })).toMatchObject({ reason: 'tree_changed' });
    expect(await verdictOn(before, { manifest: { root: 'ab'.repeat(32) } })).toMatchObject({ reason: 'tree_changed' });
    expect(await verdictOn(before, { manifest: { head: 'ab'.repeat(32) } })).toMatchObject({ reason: 'head_mismatch' });
  });

  it('a checkpoint of another log, or with another signature', async () => {
    const origin = 'tradeguard.local/other';
    const foreign = checkpoint(before, 13, { origin, key: signer(1, origin) });
    expect(await verdictOn(before, { checkpoints: [foreign] })).toMatchObject({ reason: 'foreign_checkpoint' });
    const [mine] = published(before, 13);
    for (const text of [mine?.text.replace('head', 'heads'), mine?.text.replace('\n13\n', '\n14\n'), 'nothing']) {
      const forged = { name: mine?.name as string, text: text as string };
      expect(await verdictOn(before, { checkpoints: [forged] })).toMatchObject({ reason: 'checkpoint_forged' });
    }
    const renamed = { name: '0000-00000000000000000014.txt', text: mine?.text as string };
    expect(await verdictOn(before, { checkpoints: [renamed] })).toMatchObject({ reason: 'checkpoint_forged' });
    const others = checkpoint(before, 13, { key: signer(2) });
    expect(await verdictOn(before, { checkpoints: [others] })).toMatchObject({ reason: 'checkpoint_forged' });
  });
});
