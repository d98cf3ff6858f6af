import { recoveryCodeUsedLetter } from '../domain/account-letters.ts';
import type { Keyring } from '../security/keyring.ts';
import type { PasswordHasher } from '../security/passwords.ts';
import type { AuditLog } from './audit.ts';
import type { FactorDeps, OtherSubmission } from './factors.ts';
import { openIncident } from './incidents.ts';
import type { Outbox } from './outbox.ts';
import { checkPasskey, type RelyingParty } from './passkeys.ts';
import { recoveryCodesLeft, useRecoveryCode } from './recovery-codes.ts';
import { checkAnswers } from './security-questions.ts';
import { oneRow, type Tx } from './sql.ts';

export interface FactorVerificationDeps {
  keyring: Keyring;
  audit: AuditLog;
  outbox: Outbox;
  passwords: PasswordHasher;
  relyingParty: RelyingParty;
  /** Whether security questions confirm transactions here. */
  securityQuestions: boolean;
}

/** Checks recovery codes, security questions and passkeys for `checkFactor`. */
export function createFactorVerification(deps: FactorVerificationDeps): FactorDeps {
  const { keyring, audit, outbox, passwords, relyingParty, securityQuestions } = deps;

  async function recoveryCode(tx: Tx, submission: Extract<OtherSubmission, { method: 'recovery_code' }>) {
    const { userId } = submission.challenge;
    const used = await useRecoveryCode(tx, keyring, userId, submission.code);
    if (used === undefined) return false;
    const left = await recoveryCodesLeft(tx, userId);
    await trace(tx, submission, 'mfa.recovery_code_used', 'success', { left });
    const { email } = await oneRow<{ email: string }>(tx, 'select email from app_user where id = $1', [userId]);
    await outbox.enqueue(tx, { ...recoveryCodeUsedLetter(left), key: `recovery-code:${used}`, userId, to: email });
    return true;
  }

  async function passkey(tx: Tx, submission: Extract<OtherSubmission, { method: 'webauthn' }>) {
    const { kind: purpose, id: subjectId, userId, terms } = submission.challenge;
    const verdict = await checkPasskey(
      tx,
      { keyring, relyingParty },
      {
        occasion: { purpose, subjectId, userId, ...(terms === undefined ? {} : { terms }) },
        assertion: submission.credential,
      },
    );
    if (verdict.outcome === 'counter_regressed') {
      const { outcome: _, ...details } = verdict;
      await trace(tx, submission, 'mfa.passkey_counter_regressed', 'denied', details);
      // Its workflow is started by `reconcile`: the proof has failed either way, and nobody waits for this.
      await openIncident(
        tx,
        { audit },
        {
          cause: 'passkey_cloned',
          subjectKind: 'user',
          subjectId: userId,
          userId,
          title: 'A passkey was used from a second copy: its signature counter went back',
          details: { ...details, challenge: `${purpose}:${subjectId}` },
          key: `passkey-cloned:${verdict.credential}:${verdict.stored}:${verdict.presented}`,
        },
      );
    }
    return verdict.outcome === 'passed';
  }

  async function trace(
    tx: Tx,
    { challenge, request }: OtherSubmission,
    action: string,
    outcome: 'success' | 'denied',
    details: Record<string, unknown>,
  ) {
    await audit.append(tx, {
      action,
      actor: { kind: 'user', id: challenge.userId },
      subject: { kind: 'user', id: challenge.userId },
      outcome,
      ...request,
      details: { ...details, challenge: `${challenge.kind}:${challenge.id}` },
    });
  }

  return {
    keyring,
    async verifyOther(tx, submission) {
      switch (submission.method) {
        case 'recovery_code':
          return recoveryCode(tx, submission);
        case 'webauthn':
          return passkey(tx, submission);
        case 'security_questions': {
          const { challenge, answers } = submission;
          // They confirm transactions and nothing else, whatever a challenge lists.
          if (!securityQuestions || challenge.kind !== 'transaction') return false;
          return checkAnswers(tx, passwords, { transactionId: challenge.id, userId: challenge.userId, answers });
        }
      }
    },
  };
}
