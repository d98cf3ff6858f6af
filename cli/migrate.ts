import type { Command } from 'commander';

/** `tradeguard migrate`: brings the schema up to date and ends. */
export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('bring the schema of DATABASE_OWNER_URL up to date, for the role that DATABASE_URL names')
    .action(async () => {
      const [{ migrate }, { loadMigrationConfig }] = await Promise.all([
        import('../db/migrate.ts'),
        import('../platform/config.ts'),
      ]);
      const applied = await migrate({ ...loadMigrationConfig(process.env), log: (line) => console.log(line) });
      console.log(applied.length > 0 ? `${applied.length} migration(s) applied.` : 'The schema is up to date.');
    });
}
