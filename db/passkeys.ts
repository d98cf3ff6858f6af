import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { boundChallenge, isBoundTo } from '../security/challenge-hash.ts';
import type { Keyring } from '../security/keyring.ts';
import { uuidV7 } from '../security/uuid.ts';
import { iso, isoOrNull, row, rows, run, type Tx } from './sql.ts';

/** Passkeys one person may register. */
export const MAX_PASSKEYS = 10;

/** COSE algorithms: EdDSA, ES256, RS256. Between them every authenticator has one. */
const ALGORITHMS = [-8, -7, -257];

/** Who passkeys are for (Web Authentication Level 3, section 4): they work at this origin and nowhere else. */
export interface RelyingParty {
  /** Host name. */
  id: string;
  origin: string;
}

/** The relying party of an installation. @param publicOrigin the origin that browsers see */
export function relyingPartyOf(publicOrigin: string): RelyingParty {
  return { id: new URL(publicOrigin).hostname, origin: publicOrigin };
}

/** What a challenge is drawn for; a signature over it counts for nothing else. */
export interface PasskeyOccasion {
  purpose: 'registration' | 'login' | 'transaction' | 'step_up';
  /** The login, the transaction, or the session. */
  subjectId: string;
  userId: string;
  /** Of a transaction: the hash (hex) of its terms, which the challenge is made of. */
  terms?: string;
}

/** What an authenticator signed; all base64url. */
export interface PasskeyAssertion {
  id: string;
  response: { clientDataJSON: string; authenticatorData: string; signature: string };
}

export type PasskeyVerdict =
  | { outcome: 'passed'; credential: string }
  | { outcome: 'failed' }
  /** A right signature with a counter that went back: there is a second copy of the authenticator. */
  | { outcome: 'counter_regressed'; credential: string; stored: number; presented: number };

interface PasskeyDeps {
  keyring: Keyring;
  relyingParty: RelyingParty;
}

/** What `navigator.credentials.create` needs for a new passkey; a challenge drawn before stops working. */
export async function registrationOptions(
  tx: Tx,
  deps: PasskeyDeps,
  given: { occasion: PasskeyOccasion; email: string; fullName: string; ttlMs: number },
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { occasion, email, fullName, ttlMs } = given;
  const options = await generateRegistrationOptions({
    rpName: 'Tradeguard',
    rpID: deps.relyingParty.id,
    userName: email,
    userDisplayName: fullName,
    userID: Uint8Array.from(Buffer.from(occasion.userId.replaceAll('-', ''), 'hex')),
    timeout: ttlMs,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: await descriptors(tx, occasion.userId),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
  });
  await storeChallenge(tx, deps.keyring, occasion, options.challenge, ttlMs);
  return options;
}

/** What `navigator.credentials.get` needs to prove one of somebody's passkeys. */
export async function assertionOptions(
  tx: Tx,
  deps: PasskeyDeps,
  given: { occasion: PasskeyOccasion; ttlMs: number },
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { terms } = given.occasion;
  const options = await generateAuthenticationOptions({
    ...(terms === undefined ? {} : { challenge: Uint8Array.from(boundChallenge(Buffer.from(terms, 'hex'))) }),
    rpID: deps.relyingParty.id,
    timeout: given.ttlMs,
    allowCredentials: await descriptors(tx, given.occasion.userId),
    userVerification: 'required',
  });
  await storeChallenge(tx, deps.keyring, given.occasion, options.challenge, given.ttlMs);
  return options;
}

/** Stores a new passkey. @returns its id, or why it is refused; the challenge is used up either way */
export async function registerPasskey(
  tx: Tx,
  deps: PasskeyDeps,
  given: { occasion: PasskeyOccasion; response: RegistrationResponseJSON; name: string },
): Promise<{ outcome: 'registered'; id: string } | { outcome: 'failed' | 'known' }> {
  const { occasion, response, name } = given;
  const challenge = await takeChallenge(tx, deps.keyring, occasion, response.response.clientDataJSON);
  if (challenge === undefined) return { outcome: 'failed' };
  const verified = await orUndefined(
    verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: deps.relyingParty.origin,
      expectedRPID: deps.relyingParty.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    }),
  );
  if (verified?.verified !== true) return { outcome: 'failed' };
  const { id: credentialId, publicKey, counter } = verified.registrationInfo.credential;
  const id = uuidV7();
  const stored = await run(
    tx,
    `insert into webauthn_credential (id, user_id, credential_id, public_key, counter, transports, name)
     values ($1, $2, $3, $4, $5, $6::text[], $7) on conflict (credential_id) do nothing`,
    [
      id,
      occasion.userId,
      Buffer.from(credentialId, 'base64url'),
      Buffer.from(publicKey),
      counter,
      response.response.transports ?? [],
      name,
    ],
  );
  return stored === 1 ? { outcome: 'registered', id } : { outcome: 'known' };
}

/**
 * Checks a signature over the occasion's challenge, which is used up by it whatever comes out. The user must have been
 * verified by the authenticator (PIN, finger, face): that is what makes a passkey a proof of its own.
 */
export async function checkPasskey(
  tx: Tx,
  deps: PasskeyDeps,
  given: { occasion: PasskeyOccasion; assertion: PasskeyAssertion },
): Promise<PasskeyVerdict> {
  const { occasion, assertion } = given;
  const challenge = await takeChallenge(tx, deps.keyring, occasion, assertion.response.clientDataJSON);
  if (challenge === undefined) return { outcome: 'failed' };
  const { terms } = occasion;
  if (terms !== undefined && !isBoundTo(challenge, Buffer.from(terms, 'hex'))) return { outcome: 'failed' };
  const stored = await row<{ id: string; public_key: Buffer; counter: string }>(
    tx,
    'select id, public_key, counter from webauthn_credential where credential_id = $1 and user_id = $2 for update',
    [Buffer.from(assertion.id, 'base64url'), occasion.userId],
  );
  if (stored === undefined) return { outcome: 'failed' };
  const verified = await orUndefined(
    verifyAuthenticationResponse({
      response: { ...assertion, rawId: assertion.id, type: 'public-key', clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: deps.relyingParty.origin,
      expectedRPID: deps.relyingParty.id,
      requireUserVerification: true,
      // The library would throw on a counter that went back, as on any fault. We have to tell the two apart: below.
      credential: { id: assertion.id, publicKey: Uint8Array.from(stored.public_key), counter: 0 },
    }),
  );
  if (verified?.verified !== true) return { outcome: 'failed' };
  const presented = verified.authenticationInfo.newCounter;
  const before = Number(stored.counter);
  // Section 7.2 step 22. Passkeys that are synchronised have no counter: theirs is 0 always.
  if ((presented > 0 || before > 0) && presented <= before) {
    return { outcome: 'counter_regressed', credential: stored.id, stored: before, presented };
  }
  await run(tx, 'update webauthn_credential set counter = $2, last_used_at = clock_timestamp() where id = $1', [
    stored.id,
    presented,
  ]);
  return { outcome: 'passed', credential: stored.id };
}

/** How many passkeys somebody has, with the person locked so that the number holds until the end of `tx`. */
export async function countPasskeys(tx: Tx, userId: string): Promise<number> {
  await run(tx, 'select from app_user where id = $1 for no key update', [userId]);
  return (await descriptors(tx, userId)).length;
}

/** Somebody's passkeys, oldest first. */
export async function listPasskeys(tx: Tx, userId: string) {
  const stored = await rows<{ id: string; name: string; created_at: string; last_used_at: string | null }>(
    tx,
    'select id, name, created_at, last_used_at from webauthn_credential where user_id = $1 order by created_at, id',
    [userId],
  );
  return stored.map(({ id, name, created_at, last_used_at }) => ({
    passkeyId: id,
    name,
    createdAt: iso(created_at),
    lastUsedAt: isoOrNull(last_used_at),
  }));
}

/** @returns false for a passkey that is not there, or is somebody else's */
export async function removePasskey(tx: Tx, userId: string, passkeyId: string): Promise<boolean> {
  return (await run(tx, 'delete from webauthn_credential where id = $1 and user_id = $2', [passkeyId, userId])) === 1;
}

async function descriptors(tx: Tx, userId: string) {
  const stored = await rows<{ credential_id: Buffer; transports: string[] }>(
    tx,
    'select credential_id, transports from webauthn_credential where user_id = $1 order by created_at',
    [userId],
  );
  return stored.map(({ credential_id, transports }) => ({ id: credential_id.toString('base64url'), transports }));
}

async function storeChallenge(tx: Tx, keyring: Keyring, occasion: PasskeyOccasion, challenge: string, ttlMs: number) {
  // Challenges that nobody signed: whoever asks for the next one takes their own old ones away.
  await run(
    tx,
    `delete from webauthn_challenge c using (
       select purpose, subject_id from webauthn_challenge
        where user_id = $1 and expires_at < clock_timestamp() for update skip locked) as old
      where c.purpose = old.purpose and c.subject_id = old.subject_id`,
    [occasion.userId],
  );
  await run(
    tx,
    `insert into webauthn_challenge (purpose, subject_id, user_id, challenge_hash, expires_at)
     values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms')
     on conflict (purpose, subject_id) do update set user_id = excluded.user_id,
       challenge_hash = excluded.challenge_hash, expires_at = excluded.expires_at`,
    [
      occasion.purpose,
      occasion.subjectId,
      occasion.userId,
      keyring.hmac('factor-code', 'webauthn', challenge),
      Math.ceil(ttlMs),
    ],
  );
}

/** The challenge that was signed, if it is the occasion's open one. Two that come at once: one gets it. */
async function takeChallenge(
  tx: Tx,
  keyring: Keyring,
  occasion: PasskeyOccasion,
  clientDataJSON: string,
): Promise<string | undefined> {
  const signed = signedChallenge(clientDataJSON);
  if (signed === undefined) return undefined;
  const hashes = keyring.hmacVersions('factor-code', 'webauthn', signed).map(({ mac }) => mac);
  const taken = await run(
    tx,
    `delete from webauthn_challenge where purpose = $1 and subject_id = $2 and user_id = $3
       and challenge_hash = any($4) and expires_at > clock_timestamp()`,
    [occasion.purpose, occasion.subjectId, occasion.userId, hashes],
  );
  return taken === 1 ? signed : undefined;
}

function signedChallenge(clientDataJSON: string): string | undefined {
  try {
    const { challenge } = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) ?? {};
    return typeof challenge === 'string' ? challenge : undefined;
  } catch {
    return undefined;
  }
}

/** The library throws for whatever is wrong with a response, and it is the client's fault each time. */
async function orUndefined<T>(verification: Promise<T>): Promise<T | undefined> {
  try {
    return await verification;
  } catch {
    return undefined;
  }
}
