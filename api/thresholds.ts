import type { z } from 'zod';
import { LOGIN_RULE_SET_V1 } from '../domain/risk/login-rule-set.ts';
import type { RuleSetDocument } from '../domain/risk/rule-set.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import type { Config } from '../platform/config.ts';
import type { loginThresholds, transactionThresholds } from './dashboard-schema.ts';

type LoginSettings = Pick<Config, 'lockoutThreshold' | 'lockoutWindow' | 'lockoutDuration'>;

/** Above which scores a login needs more, or is denied, and what locks an account. */
export function loginThresholdsOf(config: LoginSettings): z.output<typeof loginThresholds> {
  const { thresholds, version } = LOGIN_RULE_SET_V1;
  return {
    ruleSetVersion: version,
    factorAbove: scoreAsFraction(thresholds.factorAbove),
    additionalVerificationAbove: scoreAsFraction(thresholds.reviewAbove),
    deniedAbove: scoreAsFraction(thresholds.escalateAbove),
    lockout: {
      failures: config.lockoutThreshold,
      windowSeconds: config.lockoutWindow / 1000,
      durationSeconds: config.lockoutDuration / 1000,
    },
  };
}

/** The same of transactions, by the rule set that decides now. */
export function transactionThresholdsOf(
  config: Pick<Config, 'stepUpAmount' | 'quarantineReviewWindow'>,
  version: string,
  { thresholds }: Pick<RuleSetDocument, 'thresholds'>,
): z.output<typeof transactionThresholds> {
  return {
    ruleSetVersion: version,
    factorAbove: scoreAsFraction(thresholds.factorAbove),
    highRiskAbove: scoreAsFraction(thresholds.highRiskAbove),
    reviewAbove: scoreAsFraction(thresholds.reviewAbove),
    escalateAbove: scoreAsFraction(thresholds.escalateAbove),
    stepUpAmountAbove: config.stepUpAmount,
    reviewWindowSeconds: config.quarantineReviewWindow / 1000,
  };
}
