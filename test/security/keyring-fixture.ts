import { createKek } from '../../security/kek.ts';
import { createKeyring, type KeyPurpose, type Keyring } from '../../security/keyring.ts';

/** A keyring with raw, per-run keys and one active generation of each purpose given. */
export async function keyringFor(...purposes: KeyPurpose[]): Promise<Keyring> {
  const raw = crypto.getRandomValues(new Uint8Array(32));
  const keyring = createKeyring({
    keks: {
      session: createKek({ name: 'session', secret: { raw } }),
      master: createKek({ name: 'master', secret: { raw } }),
    },
  });
  for (const purpose of purposes) await keyring.openWrapped(await keyring.generateWrapped(purpose), { active: true });
  return keyring;
}
