import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import type { Database } from '../db/orm.ts';
import type { Outbox } from '../db/outbox.ts';
import type { LimitTable } from '../domain/limits.ts';
import type { BreakerSettings } from '../domain/risk/breaker.ts';
import type { Mailer } from '../platform/mailer.ts';
import type { PaymentPort } from '../platform/payment-port.ts';
import type { Keyring } from '../security/keyring.ts';
import type { WorkflowRegistry } from '../temporal/workflow-registry.ts';
import type { TaskQueues } from '../workflows/contract.ts';
import type { BacktestRunner } from './backtest-runner.ts';
import type { BackupRunner } from './backup-runner.ts';
import type { CheckpointPublisher } from './checkpoint-publisher.ts';

/** Everything the activities are handed by workers/main.ts; nothing below reads the environment. */
export interface ActivityDeps {
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
  /** Keyed outside the database; verifies entries' HMACs. */
  auditKey: KeyObject;
  outbox: Outbox;
  mailer: Mailer;
  /** Undefined where deposits are not paid at a provider. */
  payments: PaymentPort | undefined;
  /** What customers may move, by tier: minor units of the base currency. */
  limits: LimitTable<bigint>;
  /** Which workflows run, for the one activity that starts lost ones again. */
  registry: WorkflowRegistry;
  log: Logger;
  /** Where links in letters point to. */
  publicOrigin: string;
  queues: TaskQueues;
  backups: BackupRunner;
  checkpoints: CheckpointPublisher;
  backtests: BacktestRunner;
  breaker: BreakerSettings;
  production: boolean;
}
