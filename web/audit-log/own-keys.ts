import { useLocalStorage } from '@mantine/hooks';

/** Public keys that somebody brought along, one a line. They are no secret, and stay in this browser. */
const STORED_AS = 'tradeguard.audit-keys';

/** Verifier keys that this browser holds of its own, and how to change them. */
export function useOwnKeys(): { keys: readonly string[]; save: (text: string) => void } {
  const [text, save] = useLocalStorage({ key: STORED_AS, defaultValue: '', getInitialValueInEffect: false });
  return { keys: linesOf(text), save };
}

export const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/**
 * The key that a checkpoint is held against: where somebody brought keys along, one of those and no other.
 *
 * @param served the key that the server names with the checkpoint
 */
export function keyFor(served: string, own: readonly string[]): { key: string; isOwn: boolean } {
  if (own.length === 0) return { key: served, isOwn: false };
  return { key: own.find((key) => key === served) ?? (own[0] as string), isOwn: true };
}
