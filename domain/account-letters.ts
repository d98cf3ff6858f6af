/** What a letter says. ASCII only, nothing that a user wrote; a code stands alone as the only six-digit number. */
export interface LetterText {
  /** Names the occasion, for operators. */
  template: string;
  subject: string;
  text: string;
}

export type CodePurpose = 'login' | 'transaction' | 'step_up';

const PURPOSE_TEXT: Readonly<Record<CodePurpose, { subject: string; what: string }>> = {
  login: { subject: 'Your sign-in code', what: 'to finish signing in' },
  transaction: { subject: 'Your confirmation code', what: 'to confirm your transaction' },
  step_up: { subject: 'Your confirmation code', what: 'to confirm that it is you' },
};

const NOT_YOU = 'If this was not you, change your password and tell us at once.';

/** An e-mailed factor code. @param about what it confirms, a line each */
export function codeLetter(
  purpose: CodePurpose,
  code: string,
  ttlMs: number,
  about: readonly string[] = [],
): LetterText {
  const { subject, what } = PURPOSE_TEXT[purpose];
  return letter(`${purpose}_code`, subject, [
    `Enter this code ${what}:`,
    '',
    `    ${code}`,
    '',
    ...(about.length === 0 ? [] : ['It confirms this and nothing else:', '', ...about, '']),
    `It works once, for ${duration(ttlMs)}. We never ask for it by phone or e-mail.`,
    NOT_YOU,
  ]);
}

/** Confirms the address of a new account. The token stands behind `#`, which browsers send to no server. */
export function confirmationLetter(origin: string, token: string, ttlMs: number): LetterText {
  return letter('address_confirmation', 'Confirm your e-mail address', [
    'Somebody, probably you, registered with this address. Confirm it to open the account:',
    '',
    `${origin}/confirm#token=${token}`,
    '',
    `The link works once, for ${duration(ttlMs)}. If you did not register, do nothing: no account is opened then.`,
  ]);
}

/** Tells the owner of an account that somebody tried to register its address again. */
export function addressTakenLetter(origin: string): LetterText {
  return letter('address_taken', 'You have an account already', [
    'Somebody, probably you, registered with this address, which has an account already. Nothing was changed.',
    '',
    `Sign in or reset your password at ${origin}`,
  ]);
}

/** The account was locked after too many wrong passwords. */
export function lockoutLetter(durationMs: number): LetterText {
  return letter('lockout', 'Your account was locked', [
    `There were too many attempts to sign in with a wrong password. For ${duration(durationMs)} nobody can sign in.`,
    'The lock ends by itself. Sessions that are open already go on.',
    NOT_YOU,
  ]);
}

/** A sign-in with the right password was refused. */
export function loginDeniedLetter(): LetterText {
  return letter('login_denied', 'We refused a sign-in to your account', [
    'Somebody signed in with your password, and the sign-in did not look like you. We refused it.',
    'If it was you, try again from a place and a device that you use usually, or ask us.',
    'If it was not you, somebody knows your password: change it now.',
  ]);
}

/** The link that sets a new password. */
export function passwordResetLetter(origin: string, token: string, ttlMs: number): LetterText {
  return letter('password_reset', 'Reset your password', [
    'Somebody, probably you, asked for a new password. Choose one here:',
    '',
    `${origin}/reset-password#token=${token}`,
    '',
    `The link works once, for ${duration(ttlMs)}. If you did not ask, do nothing: your password stays as it is.`,
  ]);
}

/** The password is another one now. */
export function passwordChangedLetter(): LetterText {
  return letter('password_changed', 'Your password was changed', [
    'Your password was changed, and your other sessions were ended.',
    NOT_YOU,
  ]);
}

/** The account was frozen. */
export function accountRestrictedLetter(): LetterText {
  return letter('account_restricted', 'We restricted your account', [
    'There were signs that somebody else acts for you. Until we have cleared that up with you, nobody can sign in to your',
    'account, nothing is bought, sold or paid out, and your sessions and signing keys were ended.',
    'Call us by a number that you know, not one from a letter. We will verify who you are and open the account again.',
  ]);
}

/** Recovery, after the identity was verified: the link that sets a new password. */
export function recoveryPasswordLetter(origin: string, token: string, ttlMs: number): LetterText {
  return letter('recovery_password', 'Recover your account: choose a new password', [
    'You verified with us who you are. Choose a new password here:',
    '',
    `${origin}/reset-password#token=${token}`,
    '',
    `The link works once, for ${duration(ttlMs)}. If you did not speak with us, tell us at once.`,
  ]);
}

/** Recovery, after the password: the link that enrols a new authenticator. */
export function recoveryFactorLetter(origin: string, token: string, ttlMs: number): LetterText {
  return letter('recovery_factor', 'Recover your account: set up your authenticator', [
    'The factors that your account had were taken away. Set up an authenticator app here:',
    '',
    `${origin}/recover#token=${token}`,
    '',
    `The link works once, for ${duration(ttlMs)}. If you did not speak with us, tell us at once.`,
  ]);
}

/** Recovery is over. */
export function accountRestoredLetter(): LetterText {
  return letter('account_restored', 'Your account is open again', [
    'The restriction was lifted: sign in with your new password and your new authenticator.',
    'Your old signing keys stay void; make new ones.',
  ]);
}

/** An authenticator was added or taken away. */
export function authenticatorLetter(change: 'enrolled' | 'removed'): LetterText {
  return change === 'enrolled'
    ? letter('totp_enrolled', 'An authenticator was added to your account', [
        'From now on the codes of your authenticator app are asked for.',
        NOT_YOU,
      ])
    : letter('totp_removed', 'The authenticator was removed from your account', [
        'Codes of your authenticator app are no longer asked for.',
        NOT_YOU,
      ]);
}

/** Ten recovery codes were made; those from before stopped working. */
export function recoveryCodesLetter(): LetterText {
  return letter('recovery_codes', 'New recovery codes for your account', [
    'New recovery codes were made for your account. Those from before do not work any more.',
    NOT_YOU,
  ]);
}

/** A recovery code was used. @param left how many are not */
export function recoveryCodeUsedLetter(left: number): LetterText {
  return letter('recovery_code_used', 'A recovery code was used', [
    'One of your recovery codes was used in place of your authenticator. It does not work again.',
    left === 0 ? 'You have none left: make new ones.' : `You have ${left} left.`,
    NOT_YOU,
  ]);
}

/** A passkey was added or taken away. */
export function passkeyLetter(change: 'added' | 'removed'): LetterText {
  return change === 'added'
    ? letter('passkey_added', 'A passkey was added to your account', [
        'From now on this passkey proves that it is you.',
        NOT_YOU,
      ])
    : letter('passkey_removed', 'A passkey was removed from your account', [
        'This passkey does not open anything any more.',
        NOT_YOU,
      ]);
}

/** Security questions were set or taken away. */
export function securityQuestionsLetter(change: 'set' | 'removed'): LetterText {
  return letter('security_questions', 'Your security questions were changed', [
    change === 'set'
      ? 'Security questions were set. From now on they can confirm transactions.'
      : 'The security questions were removed from your account.',
    NOT_YOU,
  ]);
}

function letter(template: string, subject: string, lines: readonly string[]): LetterText {
  return { template, subject, text: `${lines.join('\n')}\n` };
}

/** `15 minutes`, `2 hours`, `30 seconds`; rounded up, since a promise must not be longer than the truth by much. */
function duration(ms: number): string {
  const [value, unit] =
    ms < 60_000 ? [ms / 1_000, 'second'] : ms < 7_200_000 ? [ms / 60_000, 'minute'] : [ms / 3_600_000, 'hour'];
  const rounded = Math.max(1, Math.ceil(value));
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`;
}
