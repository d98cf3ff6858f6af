import { type Bytes, fromHex, isSame, ProofError, toHex } from './bytes.ts';
import { type Checkpoint, openCheckpoint, parseVerifierKey } from './checkpoint.ts';
import { leafHash, rootOfInclusion, rootsOfConsistency, type Step } from './merkle.ts';

/** One thing that was checked, with the values it was checked by. `open`: nothing was there to check it with. */
export interface Check {
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'open';
  /** What is wrong, or why it is open. */
  readonly because?: string;
  readonly values: readonly (readonly [label: string, value: string])[];
  /** The way from the leaf to the root. */
  readonly steps?: readonly Step[];
}

/** An entry with its inclusion proof, as the API answers it. */
export interface InclusionAnswer {
  readonly seq: number;
  readonly size: number;
  /** Hex. */
  readonly leafHash: string;
  /** Hex. */
  readonly root: string;
  /** Base64. */
  readonly proof: readonly string[];
  readonly entry: string | null;
  readonly archivedIn: { readonly month: string } | null;
}

/** A checkpoint, with the key that it is held against. */
export interface SignedCheckpoint {
  readonly note: string;
  /** Verifier key, as text. */
  readonly key: string;
}

/** How the checks ended: one that failed decides; where one is open, the rest shows less than the whole. */
export function verdictOf(checks: readonly Check[]): Check['state'] {
  if (checks.some(({ state }) => state === 'failed')) return 'failed';
  return checks.length === 0 || checks.some(({ state }) => state === 'open') ? 'open' : 'passed';
}

/**
 * Checks that an entry is in the log that a checkpoint signs. Nothing of the answer is believed but what the checkpoint's
 * signature covers.
 *
 * @param seq the entry that was asked for
 * @param id of the entry that was asked for, where it is known
 * @param signed null where no checkpoint covers the entry yet: then the root is what the server says, and the result is open
 */
export async function checkInclusion(
  asked: { readonly seq: number; readonly id?: string },
  answer: InclusionAnswer,
  signed: SignedCheckpoint | null,
): Promise<Check[]> {
  const text = await checkText(asked, answer);
  const { check: signature, checkpoint } = await checkSignature(signed);
  const path = await checkPath(asked, answer, text.leaf, checkpoint);
  return [text.check, path, signature];
}

async function checkText(
  asked: { readonly seq: number; readonly id?: string },
  answer: InclusionAnswer,
): Promise<{ check: Check; leaf: Bytes | null }> {
  const title = 'The entry is what was written';
  const told = [['Leaf in the log', answer.leafHash]] as const;
  if (answer.entry === null) {
    const because =
      answer.archivedIn === null
        ? 'the text of this entry is gone, and no archive has it'
        : `the text is in cold storage (${answer.archivedIn.month}): only its leaf is checked`;
    const state = answer.archivedIn === null ? 'failed' : 'open';
    return { check: { title, state, because, values: told }, leaf: hexOrNull(answer.leafHash) };
  }
  const leaf = await leafHash(answer.entry).catch(() => null);
  const values = [['SHA-256(00 ‖ entry)', leaf === null ? 'cannot be computed' : toHex(leaf)], ...told] as const;
  const because =
    answer.seq !== asked.seq
      ? `the answer is about entry ${answer.seq}`
      : leaf === null || toHex(leaf) !== answer.leafHash
        ? 'the text is not the one that was sealed: it was changed afterwards'
        : asked.id !== undefined && idOf(answer.entry) !== asked.id
          ? 'it is another entry than the one that was shown'
          : undefined;
  if (because !== undefined) return { check: { title, state: 'failed', because, values }, leaf };
  return { check: { title, state: 'passed', values }, leaf };
}

async function checkPath(
  asked: { readonly seq: number },
  answer: InclusionAnswer,
  leaf: Bytes | null,
  checkpoint: Checkpoint | null,
): Promise<Check> {
  const title = `The entry is in the tree of ${answer.size} entries`;
  const expected = checkpoint === null ? answer.root : toHex(checkpoint.root);
  const label = checkpoint === null ? 'Root, as the server says' : 'Root that the checkpoint signs';
  try {
    if (leaf === null) throw new ProofError('there is no leaf to begin with');
    if (checkpoint !== null && checkpoint.size !== answer.size) {
      throw new ProofError(`the proof is of a tree of ${answer.size} entries, the checkpoint of ${checkpoint.size}`);
    }
    const { root, steps } = await rootOfInclusion({ leaf, index: asked.seq, size: answer.size, proof: answer.proof });
    const values = [
      ['Root that the path leads to', toHex(root)],
      [label, expected],
    ] as const;
    if (toHex(root) !== expected) {
      return { title, state: 'failed', because: 'the path leads to another root', values, steps };
    }
    return { title, state: 'passed', values, steps };
  } catch (error) {
    return { title, state: 'failed', because: reasonOf(error), values: [[label, expected]] };
  }
}

async function checkSignature(
  signed: SignedCheckpoint | null,
): Promise<{ check: Check; checkpoint: Checkpoint | null }> {
  const title = 'The checkpoint is signed by the log’s key';
  if (signed === null) {
    const because = 'no published checkpoint covers this entry yet: the root is only what the server says';
    return { check: { title, state: 'open', because, values: [] }, checkpoint: null };
  }
  const values = [['Key', signed.key.trim()]] as const;
  try {
    const checkpoint = await openCheckpoint(signed.note, await parseVerifierKey(signed.key));
    const signs = [
      ...values,
      ['Log', checkpoint.origin],
      ['Entries', String(checkpoint.size)],
      ['Root', toHex(checkpoint.root)],
      ['Signed at', checkpoint.time],
    ] as const;
    return { check: { title, state: 'passed', values: signs }, checkpoint };
  } catch (error) {
    return { check: { title, state: 'failed', because: reasonOf(error), values }, checkpoint: null };
  }
}

/** Two roots with the proof that the newer log begins with the older one, as the API answers it. */
export interface ConsistencyAnswer {
  readonly from: number;
  readonly to: number;
  readonly proof: readonly string[];
}

/** Checks that a later checkpoint continues an earlier one: both signatures, and that nothing before was changed or taken away. */
export async function checkGrowth(
  older: SignedCheckpoint,
  newer: SignedCheckpoint,
  answer: ConsistencyAnswer,
): Promise<Check[]> {
  const [first, second] = [await checkSignature(older), await checkSignature(newer)];
  const signatures: Check[] = [
    { ...first.check, title: 'The earlier checkpoint is signed by the log’s key' },
    { ...second.check, title: 'The later checkpoint is signed by the log’s key' },
  ];
  const title = 'The later log begins with the earlier one, unchanged';
  const [a, b] = [first.checkpoint, second.checkpoint];
  if (a === null || b === null) {
    return [...signatures, { title, state: 'failed', because: 'without both signatures it shows nothing', values: [] }];
  }
  return [...signatures, await checkConsistency(title, a, b, answer)];
}

async function checkConsistency(
  title: string,
  a: Checkpoint,
  b: Checkpoint,
  answer: ConsistencyAnswer,
): Promise<Check> {
  try {
    if (answer.from !== a.size || answer.to !== b.size) {
      throw new ProofError(`the proof is of ${answer.from} and ${answer.to} entries`);
    }
    const { older, newer } = await rootsOfConsistency({
      ...{ size1: a.size, root1: a.root, size2: b.size, proof: answer.proof },
    });
    const values = [
      ['Earlier root that the proof leads to', toHex(older)],
      ['Earlier root that is signed', toHex(a.root)],
      ['Later root that the proof leads to', toHex(newer)],
      ['Later root that is signed', toHex(b.root)],
    ] as const;
    const isShown = isSame(older, a.root) && isSame(newer, b.root);
    if (isShown) return { title, state: 'passed', values };
    return { title, state: 'failed', because: whyNot(a, b), values };
  } catch (error) {
    return { title, state: 'failed', because: reasonOf(error), values: [] };
  }
}

/** A restore that lost entries is on record in the checkpoints that came after it. */
function whyNot(a: Checkpoint, b: Checkpoint): string {
  const { restored } = b;
  if (restored !== null && restored.fork !== a.restored?.fork && a.size > restored.kept) {
    return `the log went on from a backup with ${restored.kept} entries: what was published up to ${restored.lost} was given up`;
  }
  return 'what the earlier checkpoint signed is not in the later log as it was: history was rewritten';
}

function reasonOf(error: unknown): string {
  if (error instanceof ProofError) return error.message;
  throw error;
}

function hexOrNull(text: string): Bytes | null {
  try {
    return fromHex(text);
  } catch {
    return null;
  }
}

function idOf(entry: string): unknown {
  try {
    return (JSON.parse(entry) as { id?: unknown } | null)?.id;
  } catch {
    return undefined;
  }
}
