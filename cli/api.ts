import type { Command } from 'commander';

/** `tradeguard api`: one API process, configured by the environment alone. */
export function registerApi(program: Command): void {
  program
    .command('api')
    .description('run one API process against the PostgreSQL and Temporal that the environment names')
    .action(async () => {
      const { main } = await import('../api/main.ts');
      await main();
    });
}
