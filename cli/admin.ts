import { readFileSync } from 'node:fs';
import type { Command } from 'commander';

interface Flags {
  readonly dataDir: string;
  readonly email: string;
  readonly passwordFile: string;
}

/**
 * `tradeguard admin create`: the first administrator where no start may print a password. The password comes from a file
 * and is final; where there is an administrator already, nothing happens.
 */
export function registerAdmin(program: Command): void {
  program
    .command('admin')
    .description('the first administrator')
    .command('create')
    .description('make the first administrator; further staff come by `tradeguard users create`')
    .requiredOption('--email <address>', 'of the administrator')
    .requiredOption('--password-file <file>', 'holds the password')
    .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
    .action(create);
}

async function create({ email, passwordFile, dataDir }: Flags): Promise<void> {
  const [{ ensureFirstAdmin }, { checkNewPassword }, { loadCommonPasswords }, { installationConfig }] =
    await Promise.all([
      import('../db/first-admin.ts'),
      import('../security/password-policy.ts'),
      import('../security/common-passwords.ts'),
      import('./installation-config.ts'),
    ]);
  const password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  const refusal = checkNewPassword(password, [email], { isCommonPassword: loadCommonPasswords() });
  if (refusal !== null) throw new Error(`The password in ${passwordFile} is refused: ${refusal.replaceAll('_', ' ')}.`);
  const admin = await ensureFirstAdmin({ config: installationConfig(dataDir), email, password });
  console.log(
    admin.created
      ? `First administrator: ${admin.email}. An authenticator is enrolled at the first sign-in.`
      : `There is an administrator already: ${admin.email}. Nothing was changed.`,
  );
}
