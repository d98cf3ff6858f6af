import type { Chain, PlacedAnomaly } from './chain.ts';
import { chainHashOf, type Symptom } from './check-entry.ts';
import { type Finding, finding } from './finding.ts';
import type { Located } from './locate.ts';
import type { Forks } from './points.ts';
import type { Pool } from './pool.ts';

/** Places that are told one by one; what is beyond is counted. */
export const MAX_DIAGNOSED = 64;
/** Lines that are read again before and behind a place. */
const BEFORE = 2;
const BEHIND = 2;

/** What a search through all lines of the export brought. */
interface Surroundings {
  chain: Chain;
  rows: Map<number, Located>;
  hits: Map<string, { as: 'hash' | 'leaf' | 'id'; at: number; seq: number }[]>;
  /** Heads that checkpoints name, of sizes within the export. */
  heads: { size: number; head: string }[];
  anomalies: Map<number, PlacedAnomaly>;
}

/** Symptoms of which the chain itself bears the mark; the others are told of beside them. */
const STRUCTURAL: readonly Symptom[] = ['gone', 'text', 'hash', 'leaf', 'number', 'link'];

export const isStructural = ({ symptoms }: PlacedAnomaly): boolean =>
  symptoms.some((symptom) => STRUCTURAL.includes(symptom));

/** Reads the export once more around what is wrong, and names what was done to it. */
export async function diagnose(chain: Chain, forks: Forks, pool: Pool): Promise<Finding[]> {
  const anomalies = chain.anomalies.slice(0, MAX_DIAGNOSED);
  if (anomalies.length === 0 && chain.repeatedIds.length === 0) return [];
  const heads = chain.judged
    .filter(({ point }) => point.kind === 'checkpoint' && forks.binds(point) && point.size > 0)
    .map(({ point: { size, head } }) => ({ size, head }))
    .sort((a, b) => a.size - b.size);
  const around = await search(chain, anomalies, heads, pool);
  const findings: Finding[] = [];
  const explained = new Set<number>();
  for (const anomaly of anomalies) {
    if (isStructural(anomaly) && !explained.has(anomaly.at)) {
      const { found, explains } = nameOf(anomaly, around);
      findings.push(found);
      for (const at of explains) explained.add(at);
    }
    findings.push(...besides(anomaly));
  }
  findings.push(...repeated(around));
  return oncePerReason(findings);
}

async function search(
  chain: Chain,
  anomalies: readonly PlacedAnomaly[],
  heads: { size: number; head: string }[],
  pool: Pool,
): Promise<Surroundings> {
  const found: Surroundings = { chain, rows: new Map(), hits: new Map(), heads, anomalies: new Map() };
  const wanted = new Set<number>();
  const hashes = new Set<string>();
  for (const anomaly of anomalies) {
    found.anomalies.set(anomaly.at, anomaly);
    for (let at = anomaly.at - BEFORE; at <= anomaly.at + BEHIND; at += 1) wanted.add(at);
    for (const hash of [anomaly.prevHash, anomaly.hash, anomaly.leaf]) if (hash !== null) hashes.add(hash);
    const head = heads.find(({ size }) => size > anomaly.seq);
    if (head !== undefined) hashes.add(head.head);
  }
  const files = chain.files.map(async ({ path, before, lines }) => {
    const inFile = [...wanted].map((at) => at - before).filter((index) => index >= 0 && index < lines);
    const located = await pool.locate({
      path,
      wanted: inFile.sort((a, b) => a - b),
      hashes: [...hashes],
      idEnds: chain.repeatedIds,
    });
    return { before, located };
  });
  for (const { before, located } of await Promise.all(files)) {
    for (const row of located.rows) found.rows.set(before + row.index, row);
    for (const { value, as, index, seq } of located.hits) {
      found.hits.set(value, [...(found.hits.get(value) ?? []), { as, at: before + index, seq }]);
    }
  }
  return found;
}

type Named = { found: Finding; explains: number[] };

function nameOf(anomaly: PlacedAnomaly, around: Surroundings): Named {
  const { seq, at, symptoms } = anomaly;
  const is = (symptom: Symptom) => symptoms.includes(symptom);
  const named = (reason: Finding['reason'], first: number, detail: string, explains: number[] = []): Named => ({
    found: finding(reason as never, first, detail),
    explains,
  });
  if (is('number')) return misnumbered(anomaly, around);
  if (is('gone')) return named('entry_deleted', seq, 'its seal is there, the entry is gone');
  if (is('text')) {
    const other = swappedWith(anomaly, around);
    if (other === undefined)
      return named('entry_changed', seq, 'its text is not what its hash and its leaf were made of');
    const detail = `its text is that of entry ${other.seq}, and the other way round`;
    return named('entries_swapped', Math.min(seq, other.seq), detail, [other.at]);
  }
  if (is('hash')) {
    const before = hashBefore(at, around);
    const entry = around.rows.get(at)?.entry ?? '';
    if (is('link') && before !== null && chainHashOf(before, entry) === anomaly.hash)
      return named('column_changed', seq, 'the previous hash beside it was changed: the one before it is right');
    if (linksOn(anomaly, around))
      return named(
        'entry_changed',
        seq,
        'its text was changed together with its leaf: the chain goes on from another text',
      );
    return named('column_changed', seq, 'the hash beside it was changed: text and leaf are right', [at + 1]);
  }
  if (is('leaf')) return named('column_changed', seq, 'the leaf hash beside it was changed: text and hash are right');
  return unlinked(anomaly, around);
}

/** Whether what follows holds the hash as it is for the right one. */
function linksOn({ seq, at, hash }: PlacedAnomaly, { rows, heads }: Surroundings): boolean {
  const next = rows.get(at + 1)?.prevHash ?? heads.find(({ size }) => size === seq + 1)?.head;
  return next === hash;
}

function misnumbered({ seq, at, symptoms, prevHash }: PlacedAnomaly, around: Surroundings): Named {
  const expected = (around.rows.get(at - 1)?.seq ?? around.chain.start.seq) + 1;
  if (seq < expected) {
    const detail = `its number was given before, to entry ${expected - 1} or an earlier one`;
    return { found: finding('entry_inserted', seq, detail), explains: [at + 1] };
  }
  if (!symptoms.includes('link')) {
    const detail = `numbers ${expected} to ${seq - 1} were skipped; no entry is missing between, since the links are intact`;
    return { found: finding('sequence_gap', expected, detail), explains: [] };
  }
  const later = hitsOf(prevHash, 'hash', around).find((hit) => hit.at > at);
  if (later !== undefined) {
    const detail = `entry ${seq} links to entry ${later.seq}, which stands behind it`;
    return {
      found: finding('entries_swapped', expected, detail),
      explains: [at + 1, later.at, later.at + 1, later.at + 2],
    };
  }
  const which = seq - 1 === expected ? `entry ${expected} was` : `entries ${expected} to ${seq - 1} were`;
  return { found: finding('entry_deleted', expected, `${which} taken out together with the seal`), explains: [] };
}

/** The numbers run on, each text fits its own hash, and yet the line does not link to the one before it. */
function unlinked(anomaly: PlacedAnomaly, around: Surroundings): Named {
  const { seq, at, prevHash, hash } = anomaly;
  const linksTo = hitsOf(prevHash, 'hash', around);
  const later = linksTo.find((hit) => hit.at > at);
  if (later !== undefined) {
    if (hitsOf(hash, 'hash', around).length > 1)
      return {
        found: finding('entry_inserted', seq, 'it is a copy of another entry, and the next one links past it'),
        explains: [at + 1],
      };
    const detail = `it links to entry ${later.seq}, which stands behind it`;
    return { found: finding('entries_swapped', seq, detail), explains: [at + 1, later.at, later.at + 1, later.at + 2] };
  }
  const before = hashBefore(at, around);
  if (before !== null && around.rows.get(at + 1)?.prevHash === before)
    return { found: finding('entry_inserted', seq, 'the next entry links past it'), explains: [at + 1] };
  const isStart = prevHash === around.chain.start.hash;
  const earlier = linksTo.filter((hit) => hit.at < at).at(-1)?.at ?? (isStart ? -1 : undefined);
  if (earlier !== undefined) {
    const first = seq - (at - earlier) + 1;
    return { found: finding('entry_inserted', first, `entry ${seq} links past it`), explains: [] };
  }
  return missingOrChanged(anomaly, around);
}

/** Nobody is the one it links to: taken out, or changed together with its hash. What was published tells which. */
function missingOrChanged({ seq, at }: PlacedAnomaly, around: Surroundings): Named {
  const deleted = 'the entry that it links to is not there: taken out, and the later ones numbered anew';
  const changed = `entry ${seq} links to what it was before: it was changed together with its own hash`;
  const published = around.heads.find(({ size }) => size > seq);
  const places = published === undefined ? [] : hitsOf(published.head, 'hash', around);
  const previous = around.rows.get(at - 1);
  const symptoms = around.anomalies.get(at - 1)?.symptoms ?? [];
  const isInPlace = places.some((hit) => hit.seq + 1 === published?.size);
  if (previous !== undefined && (isInPlace || symptoms.includes('entry_mac') || symptoms.includes('seal_mac')))
    return { found: finding('entry_changed', seq - 1, changed), explains: [] };
  const isSure = places.length > 0 || previous === undefined;
  const doubt = isSure ? '' : ` (or entry ${seq - 1} was changed together with its own hash: nothing published tells)`;
  return { found: finding('entry_deleted', seq, `${deleted}${doubt}`), explains: [] };
}

/** The other anomaly that has this one's text, and whose text this one has. */
function swappedWith({ at, leaf, leafHash }: PlacedAnomaly, around: Surroundings): PlacedAnomaly | undefined {
  if (leaf === null) return undefined;
  return hitsOf(leaf, 'leaf', around)
    .map((hit) => around.anomalies.get(hit.at))
    .find((other) => other !== undefined && other.at !== at && other.leaf === leafHash);
}

function hitsOf(hash: string, as: 'hash' | 'leaf', { hits }: Surroundings) {
  return (hits.get(hash) ?? []).filter((hit) => hit.as === as);
}

function hashBefore(at: number, { rows, chain }: Surroundings): string | null {
  return at === 0 ? chain.start.hash : (rows.get(at - 1)?.hash ?? null);
}

/** What is wrong with a line whatever the chain says. A changed text has other MACs and columns of course. */
export function besides({ seq, symptoms, column }: Pick<PlacedAnomaly, 'seq' | 'symptoms' | 'column'>): Finding[] {
  if (symptoms.includes('text') || symptoms.includes('gone')) return [];
  const found: Finding[] = [];
  for (const symptom of symptoms) {
    if (symptom === 'not_canonical') found.push(finding('not_canonical', seq, 'its text is not canonical JSON'));
    if (symptom === 'column')
      found.push(finding('column_changed', seq, `the column ${column} is not what the entry's text says`));
    if (symptom === 'entry_mac')
      found.push(finding('entry_forged', seq, 'its MAC is missing, or not one of the audit key'));
    if (symptom === 'seal_mac') found.push(finding('seal_forged', seq, "the seal's MAC is not one of the audit key"));
    if (symptom === 'proof') found.push(finding('proof_invalid', seq, 'its proof does not lead to the checkpoint'));
  }
  return found;
}

function repeated({ hits }: Surroundings): Finding[] {
  return [...hits].flatMap(([id, places]) => {
    const [first, second] = places.filter(({ as }) => as === 'id').sort((a, b) => a.at - b.at);
    if (first === undefined || second === undefined) return [];
    return finding('sealed_twice', second.seq, `entry ${id} was sealed before, as entry ${first.seq}`);
  });
}

/** Of MACs and columns the first of a kind is told, with the number of others: they come in thousands. */
export function oncePerReason(findings: readonly Finding[]): Finding[] {
  const many = ['seal_forged', 'entry_forged', 'column_changed', 'not_canonical', 'proof_invalid'];
  return findings.flatMap((one, index) => {
    const same = findings.filter(({ reason, detail }) => reason === one.reason && detail === one.detail);
    if (!many.includes(one.reason) || same.length === 1) return one;
    if (same[0] !== findings[index]) return [];
    return { ...one, detail: `${one.detail}; the same of ${same.length - 1} other entries at least` };
  });
}
