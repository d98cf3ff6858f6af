import type { FactorVerificationDeps } from '../db/factor-verification.ts';
import { relyingPartyOf } from '../db/passkeys.ts';
import type { ApiDeps } from './deps.ts';
import type { RequestFacts } from './route.ts';

/** What the checks of factors need, from what the API has. */
export function factorDeps({ config, keyring, audit, outbox, passwords }: ApiDeps): FactorVerificationDeps {
  return {
    keyring,
    audit,
    outbox,
    passwords,
    relyingParty: relyingPartyOf(config.publicOrigin),
    securityQuestions: config.securityQuestions === 'additional',
  };
}

/** The facts of a request that audit entries record. */
export function factsOf({ ip, userAgent, requestId }: RequestFacts) {
  return { ip, userAgent, requestId };
}
