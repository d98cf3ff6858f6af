import type { KeyObject } from 'node:crypto';
import { checkpointKey, openCheckpoint } from '../security/checkpoint.ts';
import { parseVerifierKey, type Verifier, verifierKeyOf } from '../security/signed-note.ts';

/**
 * Who signs checkpoints, and whose signatures are believed: the present key's, and those of retired ones for as long as what
 * they signed binds.
 */
export function createCheckpointSigner({
  auditKey,
  key,
  retiredKeys,
}: {
  auditKey: KeyObject;
  key: KeyObject | undefined;
  retiredKeys: readonly string[];
}) {
  const { privateKey, publicKey } = checkpointKey(key === undefined ? { auditKey } : { seed: key });
  const retired = retiredKeys.map(parseVerifierKey);
  const verifiers = (origin: string): Verifier[] => [parseVerifierKey(verifierKeyOf(origin, publicKey)), ...retired];
  return {
    privateKey,
    /** The verifier key that auditors pin. */
    verifierKey: (origin: string): string => verifierKeyOf(origin, publicKey),
    verifiers,

    /** The verifier key of who signed a note of this log. @throws NoteError when it is none of them */
    keyOf(note: string, origin: string): string {
      for (const key of retiredKeys) if (opens(note, key)) return key;
      openCheckpoint(note, verifiers(origin));
      return verifierKeyOf(origin, publicKey);
    },
  };
}

export type CheckpointSigner = ReturnType<typeof createCheckpointSigner>;

function opens(note: string, key: string): boolean {
  try {
    openCheckpoint(note, [parseVerifierKey(key)]);
    return true;
  } catch {
    return false;
  }
}
