import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import type { PreparedTarget } from '../platform/supervisor.ts';

interface StartFlags {
  readonly port?: number;
  readonly dataDir: string;
  readonly adminEmail: string;
  readonly adminPasswordFile?: string;
}

const moduleFile = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const say = (line: string): void => console.log(line);

/** `tradeguard start`: the whole installation on this machine, until Ctrl-C. */
export function registerStart(program: Command): void {
  program
    .command('start')
    .description('run everything on this machine: PostgreSQL, Temporal, a worker and the API')
    .option('--port <port>', 'port of the API; 0 takes free ports for everything', parsePort)
    .option('--data-dir <folder>', 'where data, logs and generated secrets lie', process.env.DATA_DIR || '.data')
    .option('--admin-email <address>', 'of the first administrator', 'admin@tradeguard.localhost')
    .option(
      '--admin-password-file <file>',
      "holds the first administrator's password; else one is made and printed once",
    )
    .action(start);
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

async function start(flags: StartFlags): Promise<void> {
  const [{ createSupervisor }, { onStopSignals }] = await Promise.all([
    import('../platform/supervisor.ts'),
    import('../platform/stop-signals.ts'),
  ]);
  const password = flags.adminPasswordFile === undefined ? undefined : readPassword(flags.adminPasswordFile);
  const pages = buildPages();
  const supervisor = createSupervisor({
    dataDir: flags.dataDir,
    env: process.env,
    port: flags.port,
    say,
    modules: { api: moduleFile('../api/main.ts'), worker: moduleFile('../workers/main.ts') },
    prepare: async (target) => {
      await prepare(target, flags.adminEmail, password);
      await pages;
    },
  });
  let interrupted = false;
  onStopSignals({
    onStop: (reason) => {
      interrupted = true;
      say(`\nStopping (${reason}).`);
      supervisor.stop().then(
        () => process.exit(0),
        (error: Error) => {
          console.error(error.message);
          process.exit(1);
        },
      );
    },
    onInsist: (reason) => {
      say(`Not waiting any longer (${reason}).`);
      supervisor.kill();
      process.exit(1);
    },
  });
  try {
    const { api } = await supervisor.start();
    say(`API: ${api}`);
    say(`Addresses and process ids: ${join(supervisor.dataDir, 'endpoints.json')}; logs: ${supervisor.dataDir}/logs`);
    say('Ready. Ctrl-C stops everything.');
  } catch (error) {
    if (interrupted) return;
    await supervisor.stop();
    throw error;
  }
}

function readPassword(file: string): string {
  const password = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  if (password === '') throw new Error(`${file} is empty. Write the first administrator's password into it.`);
  return password;
}

/** Without the build's tools (`npm ci --omit=dev`) what was built before is served; the API runs in any case. */
async function buildPages(): Promise<void> {
  const { buildWeb } = await import('../web/build-process.ts');
  await buildWeb(say).catch((error: Error) => {
    say(`Dashboard: its pages could not be built; those of the last build, if any, are served.\n${error.message}`);
  });
}

async function prepare({ config }: PreparedTarget, email: string, password: string | undefined): Promise<void> {
  const [{ migrate }, { ensureFirstAdmin }] = await Promise.all([
    import('../db/migrate.ts'),
    import('../db/first-admin.ts'),
  ]);
  if (config.production && !config.databaseOwnerUrl) {
    say('Migrations: DATABASE_OWNER_URL is not set; run `tradeguard migrate` with it when a release brings some.');
  } else {
    const ownerUrl = config.databaseOwnerUrl ?? config.databaseUrl;
    if (!config.databaseOwnerUrl)
      say(
        'Migrations: as the role of DATABASE_URL, which then owns the tables and could change the audit log. Set DATABASE_OWNER_URL.',
      );
    const applied = await migrate({ ownerUrl, appRole: decodeURIComponent(new URL(config.databaseUrl).username) });
    say(`Migrations: ${applied.length > 0 ? applied.join(', ') : 'none to apply'}`);
  }
  if (config.production && password === undefined) {
    say('First administrator: made by `tradeguard admin create`, never printed in production.');
    return;
  }
  const admin = await ensureFirstAdmin({ config, email, ...(password === undefined ? {} : { password }) });
  if (admin.oneTimePassword)
    say(`First administrator: ${admin.email}, one-time password (printed only now): ${admin.oneTimePassword}`);
  else if (admin.created) say(`First administrator: ${admin.email}, with the password of the file`);
}
