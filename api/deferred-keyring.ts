import { DomainError } from '../domain/errors.ts';
import type { Keyring } from '../security/keyring.ts';

/**
 * Stands for a keyring that cannot be opened yet because the database does not answer. Until `open` every use is refused
 * as `database_unavailable`, so the API can listen, say what is wrong, and recover without a restart.
 */
export function createDeferredKeyring(): { keyring: Keyring; open: (opened: Keyring) => void } {
  let current: Keyring | undefined;
  const keyring = new Proxy({} as Keyring, {
    get(_target, name: keyof Keyring) {
      if (current !== undefined) return current[name];
      throw new DomainError(
        'database_unavailable',
        'The database does not answer yet. Nothing was changed; try again.',
      );
    },
  });
  return {
    keyring,
    open: (opened) => {
      current = opened;
    },
  };
}
