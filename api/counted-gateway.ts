import type { Telemetry } from './telemetry.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

/** The gateway, with each verdict counted by kind and outcome. */
export function countDecisions(gateway: TemporalGateway, telemetry: Pick<Telemetry, 'decision'>): TemporalGateway {
  return {
    ...gateway,
    async login(input) {
      const verdict = await gateway.login(input);
      telemetry.decision('login', verdict.status);
      return verdict;
    },
    async submitLoginFactor(loginId, attemptId) {
      const outcome = await gateway.submitLoginFactor(loginId, attemptId);
      telemetry.decision('login_factor', outcome.status);
      return outcome;
    },
    async transaction(input) {
      const verdict = await gateway.transaction(input);
      telemetry.decision('transaction', verdict.kind === 'decided' ? verdict.body.status : verdict.code);
      return verdict;
    },
    async submitTransactionFactor(transactionId, attemptId) {
      const outcome = await gateway.submitTransactionFactor(transactionId, attemptId);
      telemetry.decision('transaction_factor', outcome.kind === 'state' ? outcome.body.status : outcome.kind);
      return outcome;
    },
  };
}
