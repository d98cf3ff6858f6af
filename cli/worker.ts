import type { Command } from 'commander';

/** `tradeguard worker`: one worker process, configured by the environment alone. */
export function registerWorker(program: Command): void {
  program
    .command('worker')
    .description('run one worker process against the PostgreSQL and Temporal that the environment names')
    .action(async () => {
      const { main } = await import('../workers/main.ts');
      await main();
    });
}
