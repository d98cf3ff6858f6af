/** Kinds of attack, as the server's own verification names them, and what can be wrong with an export itself. */
export const REASONS = [
  'entry_changed',
  'column_changed',
  'entry_deleted',
  'entry_inserted',
  'entries_swapped',
  'sequence_gap',
  'tail_truncated',
  'tail_rewritten',
  'history_rewritten',
  'entry_forged',
  'seal_forged',
  'changed_before_sealing',
  'restored_without_tail',
  'foreign_checkpoint',
  'checkpoint_forged',
  'sealed_twice',
  'tree_changed',
  'not_canonical',
  'head_mismatch',
  'proof_invalid',
  'manifest_forged',
  'wrong_key',
  'file_changed',
  'file_missing',
  'file_unexpected',
  'foreign_export',
  'range_missing',
  'malformed',
] as const;
export type Reason = (typeof REASONS)[number];

export interface Finding {
  /** Of what the exporter found: his words, whatever they are. */
  reason: Reason | (string & {});
  /** The first entry that is wrong; null where it is not about an entry. */
  seq: number | null;
  /** A sentence for people. */
  detail: string;
  /** `exporter`: what the holder of the audit key found and signed, not what was found here. */
  by: 'verifier' | 'exporter';
}

export function finding(reason: Reason, seq: number | null, detail: string): Finding {
  return { reason, seq, detail, by: 'verifier' };
}

/** Consequences of another finding rank behind it where both name the same entry. */
const SECONDARY: readonly string[] = ['seal_forged', 'entry_forged', 'column_changed', 'head_mismatch', 'tree_changed'];

/** By entry, the first first; what is about no entry comes last, what the exporter says behind what was found here. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = ({ by, reason }: Finding) => (by === 'exporter' ? 2 : SECONDARY.includes(reason) ? 1 : 0);
  return [...findings].sort((a, b) => {
    const [left, right] = [a.seq ?? Number.POSITIVE_INFINITY, b.seq ?? Number.POSITIVE_INFINITY];
    return left === right ? rank(a) - rank(b) : left < right ? -1 : 1;
  });
}
