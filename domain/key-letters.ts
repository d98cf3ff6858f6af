import type { LetterText } from './account-letters.ts';

/** A request-signing key that is older than a month: its secret is known to its owner alone, so only they can change it. */
export function signingKeyAgeLetter(keyId: string, ageDays: number): LetterText {
  return {
    template: 'signing_key_age',
    subject: 'A signing key of yours should be renewed',
    text: [
      `Your request-signing key ${keyId} is ${ageDays} days old.`,
      '',
      `Renew it with POST /api/signing-keys/${keyId}/rotate; the old secret goes on working for a while.`,
    ].join('\n'),
  };
}
