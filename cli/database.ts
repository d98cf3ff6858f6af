import type { Command } from 'commander';

/** `tradeguard database ...`: what is done once, as the server's superuser, before the first migration. */
export function registerDatabase(program: Command): void {
  program
    .command('database')
    .description('the database server')
    .command('prepare')
    .description(
      'make the database and the roles that the DATABASE_*URL variables name, and set their passwords; safe to repeat',
    )
    .action(prepare);
}

async function prepare(): Promise<void> {
  const { bootstrapDatabase } = await import('../platform/postgres-bootstrap.ts');
  const env = process.env;
  const urls = {
    url: urlFrom(env, 'DATABASE_URL', 'the role of the application'),
    ownerUrl: urlFrom(env, 'DATABASE_OWNER_URL', 'the role that is to own the tables'),
    backupUrl: optionalUrlFrom(env, 'DATABASE_BACKUP_URL'),
    drillUrl: optionalUrlFrom(env, 'DATABASE_DRILL_URL'),
  };
  const names = Object.values(urls).flatMap((url) =>
    url === undefined ? [] : decodeURIComponent(new URL(url).username),
  );
  if (new Set(names).size < names.length) {
    throw new Error('Two of the DATABASE_*URL variables name the same role: give each a role of its own.');
  }
  await bootstrapDatabase(urlFrom(env, 'DATABASE_ADMIN_URL', 'a superuser, to the database postgres'), urls);
  console.log(
    `Ready: database ${decodeURIComponent(new URL(urls.ownerUrl).pathname.slice(1))}, roles ${names.join(', ')}.`,
  );
}

function urlFrom(env: NodeJS.ProcessEnv, name: string, whose: string): string {
  const url = optionalUrlFrom(env, name);
  if (url === undefined) throw new Error(`${name} is not set. Set the URL of ${whose}: postgresql://...`);
  return url;
}

function optionalUrlFrom(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name]?.trim();
  if (!value) return undefined;
  if (!URL.canParse(value) || !/^postgres(ql)?:$/.test(new URL(value).protocol)) {
    throw new Error(`${name}: write postgresql://user:password@host:5432/database.`);
  }
  return value;
}
