import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { Factor } from '../../client/index.ts';
import type { Body } from '../calls.ts';

type Challenge = Body<'loginFactorOptions'>['webauthn'];

/**
 * Has a passkey of this browser answer a challenge.
 *
 * @throws what the browser says: the person closed its dialog, or it has no passkey of this account
 */
export async function answerWithPasskey(webauthn: Challenge): Promise<Factor> {
  const { startAuthentication } = await import('@simplewebauthn/browser');
  const optionsJSON = webauthn.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON;
  const credential: AuthenticationResponseJSON = await startAuthentication({ optionsJSON });
  return { method: 'webauthn', credential: credential as Extract<Factor, { method: 'webauthn' }>['credential'] };
}

/** Makes a passkey in this browser. @throws what the browser says */
export async function makePasskey(webauthn: { publicKey: object }) {
  const { startRegistration } = await import('@simplewebauthn/browser');
  return startRegistration({ optionsJSON: webauthn.publicKey as PublicKeyCredentialCreationOptionsJSON });
}
