import { Command } from 'commander';
import { ConfigError } from '../platform/config.ts';
import { registerAdmin } from './admin.ts';
import { registerApi } from './api.ts';
import { registerAudit } from './audit.ts';
import { registerBacktest } from './backtest.ts';
import { registerBackup } from './backup.ts';
import { registerDatabase } from './database.ts';
import { registerDecision } from './decision.ts';
import { registerDemo } from './demo.ts';
import { registerDoctor } from './doctor.ts';
import { registerKeys } from './keys.ts';
import { registerMigrate } from './migrate.ts';
import { registerPrices } from './prices.ts';
import { registerRates } from './rates.ts';
import { registerReplay } from './replay.ts';
import { registerRules } from './rules.ts';
import { readSecretFiles } from './secret-files.ts';
import { registerStart } from './start.ts';
import { registerUsers } from './users.ts';
import { registerWorker } from './worker.ts';

const program = new Command('tradeguard').description('The security backend of an investment-trading platform.');

for (const register of [
  registerStart,
  registerUsers,
  registerAdmin,
  registerApi,
  registerWorker,
  registerDatabase,
  registerMigrate,
  registerPrices,
  registerRates,
  registerAudit,
  registerBackup,
  registerKeys,
  registerReplay,
  registerBacktest,
  registerRules,
  registerDecision,
  registerDemo,
  registerDoctor,
])
  register(program);

try {
  // Before any command looks at the environment.
  Object.assign(process.env, readSecretFiles(process.env));
  await program.parseAsync();
} catch (error) {
  // What an operator can put right is told in a sentence; a stack is for those who ask for it.
  const { message, stack } = error as Error;
  console.error(process.env.DEBUG && !(error instanceof ConfigError) ? stack : message);
  process.exit(1);
}
