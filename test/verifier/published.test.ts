import { describe, expect, it } from 'vitest';
import { at, attacked, before, checkpoints, LENGTH, published, verdictOn } from './attacked-log.ts';
import { blank, checkpoint, entryText, log, type Row, rechain, signer } from './export-fixture.ts';

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
