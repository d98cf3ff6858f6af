import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { grantApplicationRole } from './grants.ts';
import { People } from './migrations/0001-people.ts';
import { Login } from './migrations/0002-login.ts';
import { Trading } from './migrations/0003-trading.ts';
import { Incident } from './migrations/0004-incident.ts';
import { Audit } from './migrations/0005-audit.ts';
import { Backup } from './migrations/0006-backup.ts';
import { Signing } from './migrations/0007-signing.ts';
import { Limits } from './migrations/0008-limits.ts';
import { Dashboard } from './migrations/0009-dashboard.ts';
import { Restriction } from './migrations/0010-restriction.ts';
import { Profile } from './migrations/0011-profile.ts';
import { KeyRotation } from './migrations/0012-key-rotation.ts';
import { Factors } from './migrations/0013-factors.ts';
import { Payments } from './migrations/0014-payments.ts';
import { Money } from './migrations/0015-money.ts';
import { Review } from './migrations/0016-review.ts';
import { RuleSets } from './migrations/0017-rule-sets.ts';
import { RuleSetLife } from './migrations/0018-rule-set-life.ts';
import { NonceSpend } from './migrations/0019-nonce-spend.ts';
import { AuditPartitions } from './migrations/0020-audit-partitions.ts';
import { AuditTree } from './migrations/0021-audit-tree.ts';
import { AuditCheckpoint } from './migrations/0022-audit-checkpoint.ts';
import { SubjectKey } from './migrations/0023-subject-key.ts';
import { AuditArchive } from './migrations/0024-audit-archive.ts';
import { AuditVerificationScope } from './migrations/0025-audit-verification-scope.ts';
import { EvidenceBundle } from './migrations/0026-evidence-bundle.ts';
import { Console } from './migrations/0027-console.ts';
import { AuditAppends } from './migrations/0028-audit-appends.ts';
import { run } from './sql.ts';

const migrations = [
  People,
  Login,
  Trading,
  Incident,
  Audit,
  Backup,
  Signing,
  Limits,
  Dashboard,
  Restriction,
  Profile,
  KeyRotation,
  Factors,
  Payments,
  Money,
  Review,
  RuleSets,
  RuleSetLife,
  NonceSpend,
  AuditPartitions,
  AuditTree,
  AuditCheckpoint,
  SubjectKey,
  AuditArchive,
  AuditVerificationScope,
  EvidenceBundle,
  Console,
  AuditAppends,
].map((migration) => ({
  name: new migration(undefined as never, undefined as never).name ?? migration.name,
  class: migration,
}));

/** Every migration of this version, in order, as the table `schema_migration` names them. */
export const migrationNames: readonly string[] = migrations.map(({ name }) => name);

/**
 * Brings the schema up to date as the owner and grants the application's role what it needs, and no more. Two callers
 * at once are safe: the second waits on an advisory lock and finds nothing to do.
 *
 * @returns the names of the migrations that ran
 */
export async function migrate(options: {
  ownerUrl: string;
  appRole: string;
  log?: (message: string) => void;
}): Promise<string[]> {
  const orm = await MikroORM.init({
    clientUrl: options.ownerUrl,
    entities: [],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    pool: { min: 0, max: 3 },
    migrations: { migrationsList: migrations, tableName: 'schema_migration', snapshot: false, transactional: true },
    logger: () => {},
  });
  const lock = orm.em.fork();
  try {
    return await lock.transactional(async (tx) => {
      await run(tx, `select pg_advisory_xact_lock(hashtext('tradeguard.migrate'))`);
      const applied = (await orm.migrator.up()).map((migration) => migration.name);
      for (const name of applied) options.log?.(`migration ${name} applied`);
      await orm.em.fork().transactional((grants) => grantApplicationRole(grants, options.appRole));
      return applied;
    });
  } finally {
    await orm.close(true);
  }
}
