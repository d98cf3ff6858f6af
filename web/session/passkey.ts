import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import type { Factor, Input } from '../../client/index.ts';
import type { Body } from '../calls.ts';
import { problemText } from '../parts/problem.tsx';

type Challenge = Body<'loginFactorOptions'>['webauthn'];

/** Whether this browser knows passkeys at all. */
export const hasPasskeys = (): boolean => 'PublicKeyCredential' in window;

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

type Attestation = Input<'registerPasskey'>['body']['credential'];

/** Makes a passkey in this browser. @throws what the browser says */
export async function makePasskey(webauthn: { publicKey: object }): Promise<Attestation> {
  const { startRegistration } = await import('@simplewebauthn/browser');
  const optionsJSON = webauthn.publicKey as PublicKeyCredentialCreationOptionsJSON;
  return (await startRegistration({ optionsJSON })) as Attestation;
}

/** What the browser says in its own terms, in words for a person; other errors as everywhere. */
export function passkeyProblem(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'AbortError') {
    return 'No passkey was used: it was cancelled, took too long, or this device has none of this account.';
  }
  if (name === 'InvalidStateError') return 'This device has a passkey of this account already.';
  return problemText(error);
}
