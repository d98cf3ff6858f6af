import { createAccountActivityRoutes } from './account-activity.ts';
import { createAccountDirectoryRoutes } from './account-directory.ts';
import { createAccountRoutes } from './accounts.ts';
import { createAppealRoutes } from './appeals.ts';
import { createAuditCheckpointRoutes } from './audit-checkpoints.ts';
import { createAuditIdentityRoutes } from './audit-identity.ts';
import { createAuditLogRoutes } from './audit-logs.ts';
import { createAuditProofRoutes } from './audit-proofs.ts';
import { createBacktestRoutes } from './backtests.ts';
import { createBackupRoutes } from './backups.ts';
import { createConsoleRoutes } from './console.ts';
import { createDashboardRoutes } from './dashboard.ts';
import { createOverviewRoutes } from './dashboard-overview.ts';
import { createDecisionRoutes } from './decisions.ts';
import type { ApiDeps } from './deps.ts';
import { createDeviceRoutes } from './devices.ts';
import { createEventRoutes } from './events.ts';
import { createEvidenceRoutes } from './evidence.ts';
import { createExchangeRateRoutes } from './exchange-rates.ts';
import { createFactorOptionRoutes } from './factor-options.ts';
import { createHealthRoutes } from './health.ts';
import { createIncidentRoutes } from './incidents.ts';
import { createInstrumentRoutes } from './instruments.ts';
import { createKeyRoutes } from './keys.ts';
import { createLimitRoutes } from './limits.ts';
import { createLoginRoutes } from './login.ts';
import { createMfaRoutes } from './mfa.ts';
import { createOpenApiRoutes } from './openapi.ts';
import { createOperationsRoutes } from './operations.ts';
import { createPasskeyRoutes } from './passkeys.ts';
import { createPasswordRoutes } from './password.ts';
import { createPaymentRoutes } from './payments.ts';
import { createPortfolioRoutes } from './portfolio.ts';
import { createProfileRoutes } from './profile.ts';
import { createRecoveryRoutes } from './recovery.ts';
import { createRecoveryCodeRoutes } from './recovery-codes.ts';
import { createRegisterRoutes } from './register.ts';
import { createRestrictionRoutes } from './restrictions.ts';
import { createReviewCaseRoutes } from './review-case.ts';
import { createReviewClaimRoutes } from './review-claims.ts';
import { createReviewQueueRoutes } from './review-queue.ts';
import { createReviewRoutes } from './reviews.ts';
import { createRootRoutes } from './root.ts';
import type { Route } from './route.ts';
import { createRulePrecisionRoutes } from './rule-precision.ts';
import { createRuleSetLifeRoutes } from './rule-set-life.ts';
import { createRuleSetRoutes } from './rule-sets.ts';
import { createSecurityQuestionRoutes } from './security-questions.ts';
import { createSessionRoutes } from './sessions.ts';
import { createSigningKeyRoutes } from './signing-keys.ts';
import { createStepUpRoutes } from './step-up.ts';
import { createTransactionLabelRoutes } from './transaction-labels.ts';
import { createTransactionRoutes } from './transactions.ts';
import { createUserRoutes } from './users.ts';

/** Every route of the API. What is not in this list does not exist, and what is in it states who may call it. */
export function createRoutes(deps: ApiDeps): Route[] {
  const routes: Route[] = [
    ...createAccountActivityRoutes(deps),
    ...createAccountDirectoryRoutes(deps),
    ...createAccountRoutes(deps),
    ...createAppealRoutes(deps),
    ...createAuditCheckpointRoutes(deps),
    ...createAuditIdentityRoutes(deps),
    ...createAuditLogRoutes(deps),
    ...createAuditProofRoutes(deps),
    ...createBacktestRoutes(deps),
    ...createBackupRoutes(deps),
    ...createConsoleRoutes(deps),
    ...createDashboardRoutes(deps, () => all),
    ...createDecisionRoutes(deps),
    ...createDeviceRoutes(deps),
    ...createEventRoutes(deps),
    ...createEvidenceRoutes(deps),
    ...createExchangeRateRoutes(deps),
    ...createFactorOptionRoutes(deps),
    ...createHealthRoutes(deps),
    ...createIncidentRoutes(deps),
    ...createInstrumentRoutes(deps),
    ...createKeyRoutes(deps),
    ...createLimitRoutes(deps),
    ...createLoginRoutes(deps),
    ...createMfaRoutes(deps),
    ...createOperationsRoutes(deps),
    ...createOverviewRoutes(deps),
    ...createPasskeyRoutes(deps),
    ...createPasswordRoutes(deps),
    ...createPaymentRoutes(deps),
    ...createPortfolioRoutes(deps),
    ...createProfileRoutes(deps),
    ...createRecoveryCodeRoutes(deps),
    ...createRecoveryRoutes(deps),
    ...createRegisterRoutes(deps),
    ...createRestrictionRoutes(deps),
    ...createReviewCaseRoutes(deps),
    ...createReviewClaimRoutes(deps),
    ...createReviewQueueRoutes(deps),
    ...createReviewRoutes(deps),
    ...createRootRoutes(deps),
    ...createRulePrecisionRoutes(deps),
    ...createRuleSetRoutes(deps),
    ...createRuleSetLifeRoutes(deps),
    ...createSecurityQuestionRoutes(deps),
    ...createSessionRoutes(deps),
    ...createSigningKeyRoutes(deps),
    ...createStepUpRoutes(deps),
    ...createTransactionLabelRoutes(deps),
    ...createTransactionRoutes(deps),
    ...createUserRoutes(deps),
  ];
  const all = [...routes, ...createOpenApiRoutes(routes)];
  return all;
}
