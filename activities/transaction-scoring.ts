import type { CounterpartyKey } from '../db/counterparty-state.ts';
import { lockCounterparty, recordEndedRuns, storeCounterparty } from '../db/counterparty-state.ts';
import { readPopulation } from '../db/population.ts';
import { type DecisionContext, decisionContext, readDocument } from '../db/rule-sets.ts';
import type { Tx } from '../db/sql.ts';
import { currencyExponent } from '../domain/money.ts';
import type { AccountState } from '../domain/risk/account-state.ts';
import { type Counterfactual, counterfactualOf } from '../domain/risk/counterfactual.ts';
import {
  type Access,
  type FeatureTransaction,
  fold,
  NO_ACCESS,
  type TransactionFeatures,
} from '../domain/risk/features.ts';
import { emptyPopulation, type Population, preparePopulation } from '../domain/risk/population.ts';
import { errorReason, type Reason } from '../domain/risk/reasons.ts';
import { compileRuleSet, type RuleEngine, type TransactionAssessment } from '../domain/risk/rule-engine.ts';
import { RULE_SET_V1 } from '../domain/risk/rule-sets/v1.ts';
import { decideInShadow, type ShadowDecision } from '../domain/risk/shadow.ts';
import {
  decideTransaction,
  isHold,
  type TransactionDecision,
  weighedAmount,
} from '../domain/risk/transaction-decision.ts';
import type { TransactionInput } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';

/** What a decision is made from and what it came to. */
export interface Scored {
  readonly features: TransactionFeatures;
  readonly assessment: TransactionAssessment;
  readonly decision: TransactionDecision;
  readonly shadows: readonly ShadowDecision[];
  readonly counterfactual: Counterfactual | null;
  /** The account's state that has seen the transaction. */
  readonly account: AccountState;
  readonly tx: FeatureTransaction;
}

/** What is scored: the request, at its time, with the amount in the base currency. */
export interface Scoring {
  readonly input: TransactionInput;
  readonly account: AccountState;
  /** Microseconds. */
  readonly at: number;
  readonly amountMinor: bigint;
  /** Reasons found elsewhere, scored along. */
  readonly extra: readonly Reason[];
}

const NOBODY: Population = preparePopulation(emptyPopulation());

/**
 * Scores a transaction by the live rule set, and beside it by those in the shadow, from the states under the locks of the
 * caller's transaction. Compiled rule sets are kept: a version never changes.
 */
export function createTransactionScoring({ log }: Pick<ActivityDeps, 'log'>) {
  const engines = new Map<string, RuleEngine>();
  let population: { day: number; prepared: Population } = { day: 0, prepared: NOBODY };

  async function engineOf(tx: Tx, version: string): Promise<RuleEngine> {
    const known = engines.get(version);
    if (known !== undefined) return known;
    const compiled = compileRuleSet(await readDocument(tx, version), version);
    engines.set(version, compiled);
    return compiled;
  }

  /** A live version that cannot be read lets nothing through unasked: the specification's rules judge, and a step-up is due. */
  async function liveEngine(tx: Tx, version: string): Promise<{ engine: RuleEngine; broken: readonly Reason[] }> {
    try {
      return { engine: await engineOf(tx, version), broken: [] };
    } catch (error) {
      if ((error as Error).name !== 'RuleSetError') throw error;
      log.error({ version, err: error }, 'the live rule set cannot be read');
      return {
        engine: compileRuleSet(RULE_SET_V1, version),
        broken: [errorReason('rule_set', 'The live rule set cannot be read')],
      };
    }
  }

  async function shadowsOf(
    tx: Tx,
    versions: readonly string[],
    judge: (engine: RuleEngine) => ShadowDecision,
  ): Promise<ShadowDecision[]> {
    const decisions: ShadowDecision[] = [];
    for (const version of versions) {
      try {
        decisions.push(judge(await engineOf(tx, version)));
      } catch (error) {
        if ((error as Error).name !== 'RuleSetError') throw error;
        log.error({ version, err: error }, 'a rule set in the shadow cannot be read');
      }
    }
    return decisions;
  }

  async function populationOf(tx: Tx, day: number): Promise<Population> {
    if (day === 0) return NOBODY;
    if (population.day !== day) {
      const { day: newest, state } = await readPopulation(tx);
      population = { day: newest, prepared: preparePopulation(state) };
    }
    return population.prepared;
  }

  return {
    /** Scores, and stores what the counterparty's state has seen; the account's is the caller's to store. */
    async score(tx: Tx, { input, account, at, amountMinor, extra }: Scoring): Promise<Scored> {
      const { request, settings, virtual } = input;
      const isImported = virtual !== null;
      const context = await decisionContext(tx, request);
      const transaction: FeatureTransaction = {
        at,
        type: request.type,
        amountMinor,
        exponent: currencyExponent(settings.baseCurrency),
        account: request.accountId,
        category: request.category,
        counterparty: request.counterparty,
        instrument: request.instrument,
        ip: request.ip,
        access: isImported ? NO_ACCESS : accessOf(context),
      };
      const key: CounterpartyKey | null =
        request.counterparty === null ? null : { counterparty: request.counterparty, imported: isImported };
      const states = {
        account,
        counterparty: key === null ? null : await lockCounterparty(tx, key),
        population: isImported ? NOBODY : await populationOf(tx, context.populationDay),
      };
      const folded = fold(states, transaction);
      if (key !== null && folded.counterparty !== null) {
        await storeCounterparty(tx, key, folded.counterparty);
        await recordEndedRuns(tx, key, folded.ended, at);
      }

      const { features } = folded;
      const { engine, broken } = await liveEngine(tx, context.live);
      const assessment = engine.assess(features, [...extra, ...broken], (ruleId, error) =>
        log.error({ ruleId, version: context.live, err: error }, 'a rule failed'),
      );
      const weighed = weighedAmount(features, amountMinor, transaction.exponent);
      const stepUpAbove = BigInt(settings.stepUpAmountMinor);
      const decision = decideTransaction(assessment, weighed, stepUpAbove, engine.thresholds);
      return {
        features,
        assessment,
        decision,
        shadows: await shadowsOf(tx, context.shadows, (shadow) =>
          decideInShadow(shadow, features, weighed, stepUpAbove),
        ),
        counterfactual:
          isHold(decision.action) && amountMinor > 0n ? counterfactualOf(engine, states, transaction) : null,
        account: folded.account,
        tx: transaction,
      };
    },
  };
}

export type TransactionScoring = ReturnType<typeof createTransactionScoring>;

function accessOf(context: DecisionContext): Access {
  return {
    loginRisk: (context.loginScore ?? 0) / 100,
    loginAt: context.loginAtMicros === null ? null : Number(context.loginAtMicros),
    changedAt: context.accessChangedAtMicros === null ? null : Number(context.accessChangedAtMicros),
  };
}
