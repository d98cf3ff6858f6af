import { describe, expect, it } from 'vitest';
import { report } from '../../verifier/report.ts';
import { at, attacked, before, checkpoints, verdictOn, WITH_KEY } from './attacked-log.ts';
import type { Row } from './export-fixture.ts';

const [FROM, TO] = [5, 25];
const ENTRIES = TO - FROM;
const MONTH = {
  ...{ month: '2026-01', from: FROM, to: TO, entries: ENTRIES, manifestSha256: 'ab'.repeat(32) },
  ...{ firstId: '01900000-0000-7000-8000-000000000000', endId: '01910000-0000-7000-8000-000000000000' },
};
const archived = (month: Partial<typeof MONTH> = {}) => ({ manifest: { archived: [{ ...MONTH, ...month }] } });

/** Entries whose texts are in cold storage. */
function takeOut(rows: Row[]): Row[] {
  return rows.map((row) =>
    row.seq >= FROM && row.seq < TO ? { ...row, entry: null, columns: null, entryHmac: null } : row,
  );
}
const within = (attack: (rows: Row[]) => void) => (rows: Row[]) => {
  rows.splice(0, rows.length, ...takeOut(rows));
  attack(rows);
};
const nothing = () => {};

describe('an export of a log with a month in cold storage', () => {
  it('is sound by links, leaves and MACs of the seals, and says where the texts are', async () => {
    const verdict = await verdictOn(takeOut(before), { checkpoints, ...archived() }, WITH_KEY);
    expect(verdict).toMatchObject({ verdict: 'sound', archived: ENTRIES, entries: 40, macs: 'checked' });
    expect(verdict.checkpoints.agreed).toBe(checkpoints.length);
    expect(verdict.notes.join()).toContain(`Of 2026-01 (${ENTRIES} entries) the seals were checked`);
    expect(report(verdict)).toContain(`of ${ENTRIES} of them, which are in cold storage`);
  });

  it('without a word of it in the signed manifest has lost entries', async () => {
    expect(await attacked(within(nothing))).toMatchObject({ reason: 'entry_deleted', seq: FROM });
  });

  it('of fewer numbers, or of other ids, has lost the rest', async () => {
    expect(await attacked(within(nothing), {}, archived({ to: TO - 1 }))).toMatchObject({
      ...{ reason: 'entry_deleted', seq: TO - 1 },
    });
    expect(await attacked(within(nothing), {}, archived({ from: FROM + 1 }))).toMatchObject({ seq: FROM });
    const other = { firstId: MONTH.endId, endId: '01920000-0000-7000-8000-000000000000' };
    expect(await attacked(within(nothing), {}, archived(other))).toMatchObject({ reason: 'entry_deleted', seq: FROM });
  });

  it.each([
    ['a leaf', (row: Row) => Object.assign(row, { leafHash: 'ab'.repeat(32) }), 'seal_forged'],
    ['a time', (row: Row) => Object.assign(row, { sealedAt: '2026-01-01T00:00:00.000001Z' }), 'seal_forged'],
    ['a transaction', (row: Row) => Object.assign(row, { xid: '1' }), 'seal_forged'],
  ])('with %s of a seal that was changed is named by who has the key', async (_, change, reason) => {
    const found = await attacked(
      within((rows) => change(at(rows, 11))),
      WITH_KEY,
      archived(),
    );
    expect(found.all.map((one) => one.reason)).toContain(reason);
    expect(found.seq).toBe(11);
  });

  it('with a leaf that was changed does not lead to the checkpoints, for who has no key either', async () => {
    const found = await attacked(
      within((rows) => Object.assign(at(rows, 11), { leafHash: 'ab'.repeat(32) })),
      {},
      archived(),
    );
    expect(found.reason).toBe('tree_changed');
  });

  it('with a link that is broken in there is not sound', async () => {
    const found = await attacked(
      within((rows) => Object.assign(at(rows, 12), { prevHash: 'ab'.repeat(32) })),
      {},
      archived(),
    );
    // Either of the two may have been changed: the one before it is named.
    expect(found).toMatchObject({ reason: 'entry_changed', seq: 11 });
  });

  it('is malformed with a month that is none', async () => {
    const found = await attacked(within(nothing), {}, { manifest: { archived: [{ ...MONTH, from: -1 }] } });
    expect(found.reason).toBe('malformed');
  });
});
