import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createChainSealer } from '../../db/audit-seal.ts';
import { createStoredNodes } from '../../db/audit-stored-nodes.ts';
import { compactRangeAt, consistencyProof, headAt, inclusionProof, rootAt, sealedSize } from '../../db/audit-tree.ts';
import { oneRow, rows } from '../../db/sql.ts';
import { createCompactRange, verifyConsistency, verifyInclusion } from '../../security/merkle.ts';
import { createSealer, type Sealer } from '../../workers/sealer.ts';
import { eventually } from '../helpers/eventually.ts';
import { naiveConsistency, naiveInclusion, naiveRoot } from '../security/naive-merkle.ts';
import { createLog, type Log } from './log-fixture.ts';

const TILE = 256;
/** Tiles that one step of catching up makes at most. */
const STEP = 64;

/** The leaf that {@link sealByHand} gives entry n. */
const leafOf = (n: number) => createHash('sha256').update(String(n)).digest();
const leavesTo = (size: number) => Array.from({ length: size }, (_, n) => leafOf(n));

/** Seals without entries, as many as a test of the tree alone needs; no node of the tree is made. */
const sealByHand = (log: Log, from: number, to: number) =>
  rows(
    log.ownerDb.fork(),
    `insert into audit_seal (seq, entry_id, era, prev_hash, hash, leaf_hash, seal_hmac, sealed_at)
     select n, gen_random_uuid(), 0, sha256('x'), sha256(convert_to('hash ' || n, 'UTF8')),
            sha256(convert_to(n::text, 'UTF8')), sha256('x'), now()
       from generate_series($1::bigint, $2::bigint - 1) n`,
    [from, to],
  );

/** @returns nodes at level 8 after each step */
async function catchUp(log: Log): Promise<number[]> {
  const client = await log.connect(log.url);
  const sealer = createChainSealer({ auditKey: log.auditKey });
  const steps: number[] = [];
  for (let more = true; more; ) {
    more = await sealer.growTree(client);
    steps.push((await nodes(log, 8)).length);
  }
  await client.end();
  return steps;
}

async function nodes(log: Log, level: number): Promise<Buffer[]> {
  const found = await rows<{ index: string; hash: Buffer }>(
    log.db.fork(),
    'select index, hash from audit_tree_node where level = $1 order by index',
    [level],
  );
  expect(found.map(({ index }) => Number(index))).toEqual(found.map((_, at) => at));
  return found.map(({ hash }) => hash);
}

const storedLeaves = async (log: Log) =>
  (await rows<{ hash: Buffer }>(log.db.fork(), 'select leaf_hash as hash from audit_seal order by seq')).map(
    ({ hash }) => hash,
  );

/** The root of each whole tile. */
const tilesOf = (leaves: readonly Buffer[]) =>
  Array.from({ length: Math.floor(leaves.length / TILE) }, (_, at) =>
    naiveRoot(leaves.slice(at * TILE, (at + 1) * TILE)),
  );

const codeOf = (work: Promise<unknown>) => work.then(() => 'answered').catch((error) => error.code ?? String(error));

describe('proofs from the stored tree', () => {
  const SIZE = TILE ** 2 + 2 * TILE + 1;
  const leaves = leavesTo(SIZE);
  let log: Log;
  let steps: number[];
  beforeAll(async () => {
    log = await createLog();
    await sealByHand(log, 0, SIZE);
    steps = await catchUp(log);
  });
  afterAll(() => log?.close());

  it('its tiles are held against stored nodes, which a walk through the log asks for a few times', async () => {
    const client = await log.connect(log.url);
    const asked = vi.spyOn(client, 'query');
    const stored = createStoredNodes();
    const tiles = tilesOf(leaves);
    const WIDTH = 4 * TILE;
    for (let from = 0; from < SIZE; from += WIDTH) {
      const to = Math.min(SIZE, from + WIDTH);
      const agrees = await stored.within(client, { from, to });
      for (let index = from / TILE; (index + 1) * TILE <= to; index += 1) {
        expect(agrees(index, tiles[index])).toBe(true);
        expect([agrees(index, leafOf(index)), agrees(index, undefined)]).toEqual([false, false]);
      }
      // Made by nobody yet.
      expect(agrees(tiles.length, leafOf(0))).toBe(true);
    }
    expect(SIZE / WIDTH).toBeGreaterThan(60);
    expect(asked.mock.calls.length).toBeLessThan(10);
    // In the middle of a tile there is none to hold against; the next one begins behind it.
    const agrees = await createStoredNodes().within(client, { from: 300, to: 800 });
    expect([agrees(1, tiles[1]), agrees(2, tiles[2]), agrees(2, tiles[3])]).toEqual([false, true, false]);
    await client.end();
  });

  it('a log from before the tree is caught up with, some thousand leaves at a time', async () => {
    expect(steps).toEqual([STEP, 2 * STEP, 3 * STEP, 4 * STEP, 258]);
    expect(await nodes(log, 8)).toEqual(tilesOf(leaves));
    expect(await nodes(log, 16)).toEqual([naiveRoot(leaves.slice(0, TILE ** 2))]);
    expect(await catchUp(log)).toEqual([258]);
  });

  it.each([0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_791, 65_792, 65_793, SIZE])(
    'of %i entries have the root and the edge of the definition',
    async (size) => {
      const tx = log.db.fork();
      expect(await rootAt(tx, size)).toEqual(naiveRoot(leaves.slice(0, size)));
      const range = createCompactRange();
      for (const leaf of leaves.slice(0, size)) range.push(leaf);
      expect(await compactRangeAt(tx, size)).toEqual(range.hashes());
    },
  );

  it.each<[number, number[]]>([
    [1, [0]],
    [2, [0, 1]],
    [255, [0, 127, 128, 254]],
    [256, [0, 255]],
    [257, [0, 255, 256]],
    [511, [0, 255, 256, 510]],
    [512, [0, 255, 256, 511]],
    [65_535, [0, 65_279, 65_280, 65_534]],
    [65_536, [0, 40_000, 65_535]],
    [65_537, [0, 65_535, 65_536]],
    [SIZE, [0, 300, 65_535, 65_536, 65_791, 65_792, SIZE - 2, SIZE - 1]],
  ])('show entries of the first %i', async (size, indexes) => {
    const tx = log.db.fork();
    const root = await rootAt(tx, size);
    for (const index of indexes) {
      const proof = await inclusionProof(tx, { index, size });
      expect(proof).toEqual(naiveInclusion(index, leaves.slice(0, size)));
      verifyInclusion({ leaf: leaves[index] as Buffer, index, size, root, proof });
    }
  });

  it.each<[number, number[]]>([
    [1, [1]],
    [256, [1, 255, 256]],
    [257, [1, 255, 256, 257]],
    [512, [1, 255, 256, 257, 511]],
    [65_537, [1, 257, 65_535, 65_536, 65_537]],
    [SIZE, [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, SIZE - 1, SIZE]],
  ])('show that the first %i entries continue earlier ones', async (to, sizes) => {
    const tx = log.db.fork();
    const root2 = await rootAt(tx, to);
    for (const from of sizes) {
      const proof = await consistencyProof(tx, { from, to });
      expect(proof).toEqual(naiveConsistency(from, leaves.slice(0, to)));
      verifyConsistency({ size1: from, root1: await rootAt(tx, from), size2: to, root2, proof });
    }
  });

  it('read a few tiles, wherever the entry stands and however long the log is', async () => {
    const soFar = async (tx: Parameters<typeof rootAt>[0]) => {
      const { read } = await oneRow<{ read: string }>(
        tx,
        `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) as read
           from pg_stat_xact_user_tables where relname in ('audit_seal', 'audit_tree_node')`,
      );
      return Number(read);
    };
    const readFor = (work: (tx: Parameters<typeof rootAt>[0]) => Promise<unknown>) =>
      log.db.transaction(async (tx) => {
        const before = await soFar(tx);
        await work(tx);
        return (await soFar(tx)) - before;
      });
    // Two tiles at each of two levels, and the few nodes above them.
    const most = 5 * TILE;
    for (const size of [SIZE, SIZE - 2]) {
      for (const index of [0, 1_000, 40_000, 65_535, 65_700, size - 1]) {
        const read = await readFor((tx) => inclusionProof(tx, { index, size }));
        expect(read).toBeGreaterThan(1);
        expect(read).toBeLessThanOrEqual(most);
      }
      expect(await readFor((tx) => consistencyProof(tx, { from: 1_000, to: size }))).toBeLessThanOrEqual(most);
      expect(await readFor((tx) => rootAt(tx, size))).toBeLessThanOrEqual(most);
    }
  });

  it('are not made of what is not there', async () => {
    const tx = log.db.fork();
    expect(await sealedSize(tx)).toBe(SIZE);
    const codes = [
      rootAt(tx, SIZE + 1),
      headAt(tx, SIZE + 1),
      compactRangeAt(tx, SIZE + 1),
      inclusionProof(tx, { index: 0, size: SIZE + 1 }),
      inclusionProof(tx, { index: 5, size: 5 }),
      consistencyProof(tx, { from: 0, to: 5 }),
      consistencyProof(tx, { from: 6, to: 5 }),
      consistencyProof(tx, { from: 5, to: SIZE + 1 }),
    ].map(codeOf);
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['not_found']));
  });
});

describe('the sealer and the tree', () => {
  let log: Log;
  let sealers: Sealer[];
  beforeEach(async () => {
    log = await createLog();
    sealers = [];
  });
  afterEach(async () => {
    await Promise.all(sealers.map((sealer) => sealer.stop()));
    await log.close();
  });
  function startSealer() {
    const sealer = createSealer({ databaseUrl: log.url, auditKey: log.auditKey, log: pino({ level: 'silent' }) });
    sealer.start();
    sealers.push(sealer);
  }
  const append = async (count: number) => {
    for (let at = 0; at < count; at += 100) {
      await log.append(...Array.from({ length: Math.min(100, count - at) }, (_, n) => at + n));
    }
  };

  it('makes each node in the transaction that seals its last entry', async () => {
    await append(3 * TILE - 1);
    const client = await log.connect(log.url);
    const sealer = createChainSealer({ auditKey: log.auditKey, batchSize: 100 });
    for (let more = true; more; ) {
      const result = await sealer.seal(client);
      more = result.outcome === 'sealed' && result.more;
      expect(await nodes(log, 8)).toEqual(tilesOf(await storedLeaves(log)));
    }
    expect(await nodes(log, 8)).toHaveLength(2);
    await append(1);
    await sealer.seal(client);
    expect(await nodes(log, 8)).toEqual(tilesOf(await storedLeaves(log)));
    expect(await nodes(log, 8)).toHaveLength(3);
  });

  it('makes each node once with several sealers at work, and while an old log is caught up with', async () => {
    await sealByHand(log, 0, 3 * STEP * TILE + 100);
    for (let n = 0; n < 3; n += 1) startSealer();
    await Promise.all(Array.from({ length: 3 }, () => append(TILE)));
    await eventually(async () => (await sealedSize(log.db.fork())) === 3 * STEP * TILE + 100 + 3 * TILE);
    await eventually(async () => (await nodes(log, 8)).length === 3 * STEP + 3);
    const leaves = await storedLeaves(log);
    expect(await nodes(log, 8)).toEqual(tilesOf(leaves));
    expect(await rootAt(log.db.fork(), leaves.length)).toEqual(naiveRoot(leaves));
  });

  it('seals on while the tree is behind, and proofs say that it is', async () => {
    await sealByHand(log, 0, 2 * STEP * TILE + 5);
    await append(10);
    expect(await log.seal()).toBe(10);
    const tx = log.db.fork();
    const size = await sealedSize(tx);
    expect(await codeOf(rootAt(tx, size))).toBe('tree_behind');
    expect(await codeOf(inclusionProof(tx, { index: 3, size }))).toBe('tree_behind');
    // What lies within one tile needs none of it.
    expect(await rootAt(tx, 200)).toEqual(naiveRoot(leavesTo(200)));
    expect(await catchUp(log)).toEqual([STEP, 2 * STEP]);
    expect(await rootAt(tx, size)).toEqual(naiveRoot(await storedLeaves(log)));
  });

  it('makes no node of a tile that lost a seal, seals on, and proofs say what is missing', async () => {
    await sealByHand(log, 0, 3 * TILE);
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_seal where seq = 300'));
    expect(await catchUp(log)).toEqual([1]);
    await append(TILE);
    expect(await log.seal()).toBe(TILE);
    expect(await nodes(log, 8)).toEqual([naiveRoot(leavesTo(TILE))]);
    const tx = log.db.fork();
    await expect(inclusionProof(tx, { index: 301, size: 400 })).rejects.toMatchObject({
      code: 'log_damaged',
      detail: expect.stringContaining('entry 300'),
    });
    expect(await inclusionProof(tx, { index: 3, size: TILE })).toEqual(naiveInclusion(3, leavesTo(TILE)));
  });

  it('tells a node that was taken out from one that was not made yet', async () => {
    await sealByHand(log, 0, 4 * TILE);
    await catchUp(log);
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_tree_node where index = 1'));
    expect(await codeOf(rootAt(log.db.fork(), 3 * TILE))).toBe('log_damaged');
    await log.asDatabaseAdministrator((sql) => sql('delete from audit_tree_node where index > 1'));
    expect(await codeOf(rootAt(log.db.fork(), 3 * TILE))).toBe('tree_behind');
  });
});
