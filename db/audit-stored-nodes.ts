import type { ClientBase } from 'pg';
import { TILE_LEVELS, TILE_WIDTH } from '../security/merkle-tile.ts';

/** Whether a stored node of the tree, by its index, has this hash. One that the sealer has not made yet agrees with everything. */
export type AgreesWithNode = (index: number, hash: Buffer | undefined) => boolean;

/** Leaves whose nodes are kept at most: 4,096 of them, about a megabyte. */
const MAX_LEAVES = 2 ** 20;

interface Known {
  from: number;
  to: number;
  agrees: AgreesWithNode;
}

/**
 * The lowest stored nodes of the tree for who goes through ranges of leaves in their order. Each read reaches further ahead than
 * the one before, so that a long log asks for them a dozen times, and a short range for no more than its own.
 */
export function createStoredNodes() {
  let known: Known = { from: 0, to: 0, agrees: () => false };
  let ahead = 1;
  return {
    /** @throws errors of the connection */
    async within(client: ClientBase, { from, to }: { from: number; to: number }): Promise<AgreesWithNode> {
      if (from < known.from || to > known.to) {
        const end = Math.max(to, Math.min(from + ahead * (to - from), from + MAX_LEAVES));
        ahead *= 2;
        known = { from, to: end, agrees: await storedNodes(client, from, end) };
      }
      return known.agrees;
    },
  };
}

async function storedNodes(client: ClientBase, from: number, to: number): Promise<AgreesWithNode> {
  const { rows } = await client.query<{ last: string | null; index: string | null; hash: Buffer }>(
    `select l.last, n.index, n.hash
       from (select max(index) as last from audit_tree_node where level = ${TILE_LEVELS}) l
       left join audit_tree_node n on n.level = ${TILE_LEVELS} and n.index >= $1 and n.index < $2`,
    [Math.ceil(from / TILE_WIDTH), Math.floor(to / TILE_WIDTH)],
  );
  // Where the range has none, the one row has nothing but the last one's index.
  const nodes = new Map(rows.flatMap(({ index, hash }) => (index === null ? [] : [[Number(index), hash]])));
  const last = Number(rows[0]?.last ?? -1);
  return (index, hash) => index > last || (hash !== undefined && nodes.get(index)?.equals(hash) === true);
}
