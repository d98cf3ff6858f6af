import { HOME_DEVICE } from '../helpers/people.ts';
import type { Cast } from './cast.ts';

/**
 * Bodies that are carried out, by operationId: what is drawn from a schema alone hardly ever satisfies the rules that hang
 * several members together, and would be refused before it gets anywhere.
 */
export function exampleBodies({ stranger }: Cast): Readonly<Record<string, readonly object[]>> {
  const reason = 'asked for by telephone';
  const money = { currency: 'USD', category: 'rent' };
  return {
    createTransaction: [
      { type: 'deposit', amount: '250.00', ...money },
      { type: 'withdrawal', amount: '25.00', ...money },
      { type: 'withdrawal', amount: '10500.00', ...money },
      { type: 'transfer', amount: '10.00', counterparty: stranger.accountId, ...money },
      { type: 'buy', instrument: 'TGX', quantity: '0.5', currency: 'USD' },
    ],
    register: [
      {
        email: 'somebody.new@example.com',
        password: 'a long new passphrase',
        fullName: 'New Person',
        device: HOME_DEVICE,
      },
    ],
    login: [{ email: stranger.email, password: stranger.password, device: HOME_DEVICE }],
    changePassword: [{ currentPassword: stranger.password, newPassword: 'another long passphrase' }],
    forgotPassword: [{ email: stranger.email }],
    changeProfile: [
      { phone: '+49 30 1234567', address: '1 Market St', ssn: '536-90-4399', timeZone: 'Europe/Berlin' },
      { accountNumber: '4000123456789' },
    ],
    revealProfile: [{ fields: ['phone', 'ssn'], reason }],
    revealUserProfile: [{ fields: ['phone'], reason, caseReference: 'CASE-1' }],
    revealAuditEntry: [{ reason }],
    eraseAuditIdentity: [{ reason }],
    searchUsersByNumber: [{ field: 'ssn', value: '536-90-4399', reason, caseReference: 'CASE-1' }],
    setSecurityQuestions: [
      {
        questions: ['first street', 'first teacher', 'first concert'].map((question) => ({
          question: `Which was the ${question}?`,
          answer: `the ${question} of mine`,
        })),
      },
    ],
    importPrices: [{ prices: [{ instrument: 'TGX', at: new Date().toISOString(), price: '100.00', currency: 'USD' }] }],
    importExchangeRates: [{ rates: [{ currency: 'EUR', at: new Date().toISOString(), rate: '1.0842' }] }],
    createUser: [{ email: 'new.reviewer@example.com', fullName: 'New Reviewer', role: 'reviewer' }],
    changeUser: [{ role: 'auditor' }, { tier: 'basic' }, { disabled: true }],
    unlockAccount: [{ reason }],
    restrictAccount: [{ reason }],
    restoreAccount: [{ step: 'identity_verified', caseReference: 'CASE-1' }],
    approveTransaction: [{ reason }],
    rejectTransaction: [{ reason }],
    resolveIncident: [{ resolution: 'a false alarm' }],
  };
}
