/** What a verification found wrong, in words (docs/audit-verification.md). */
const FINDINGS: Readonly<Record<string, string>> = {
  entry_changed: 'The text of this entry is not the one that was sealed.',
  column_changed: 'A search column, or a hash beside the text, is not what the text says.',
  entry_deleted: 'The entry was taken out, alone or together with its seal.',
  entry_inserted: 'An entry was put in between: the one behind it links past it.',
  entries_swapped: 'Entries stand in each other’s place.',
  sequence_gap: 'Numbers are skipped.',
  sealed_twice: 'The same entry stands in the log a second time.',
  not_canonical: 'The text is not canonical JSON, so two readers could read it differently.',
  tail_truncated: 'The log is shorter than what was published.',
  restored_without_tail: 'The log is shorter than what was published, and it was restored from a backup since.',
  tail_rewritten: 'The end of the log was cut off and written anew.',
  history_rewritten: 'The log is not the one that was published, though every hash fits the next.',
  entry_forged: 'The entry was not written by a holder of the audit key.',
  seal_forged: 'The seal was not made by a holder of the audit key.',
  changed_before_sealing: 'The entry was changed before it was sealed.',
  entry_hidden: 'An entry lies where the sealer never looks.',
  tree_changed: 'The stored Merkle tree is not that of the entries.',
  foreign_log: 'The first entry belongs to another log.',
  foreign_checkpoint: 'A published checkpoint is of another log.',
  checkpoint_forged: 'A published checkpoint is not signed by the keys of this log.',
  archive_changed: 'An archive is not what was archived.',
  log_damaged: 'A seal or a node of the tree is gone.',
};

export const findingText = (reason: string): string => FINDINGS[reason] ?? reason.replaceAll('_', ' ');
