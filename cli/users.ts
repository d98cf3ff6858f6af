import { type Command, InvalidArgumentError } from 'commander';
import { rows, type Tx } from '../db/sql.ts';
import type { UserAdministration } from '../db/user-administration.ts';
import { normaliseEmail } from '../domain/email.ts';
import { isTier, TIERS, type Tier } from '../domain/limits.ts';
import { ASSIGNABLE_ROLES, isRole, type Role } from '../domain/roles.ts';

interface Flags {
  readonly dataDir: string;
  readonly json?: boolean;
}

interface AccountRow {
  id: string;
  email: string;
  full_name: string;
  role: Role;
  tier: Tier;
  disabled: boolean;
  mfa: boolean;
}

interface Tools {
  administration: UserAdministration;
  tx: Tx;
}

const OPERATOR = { actor: { kind: 'operator' } } as const;

/** `tradeguard users ...`: accounts of staff, for an operator who reaches the database. Every change is audited. */
export function registerUsers(program: Command): void {
  const users = program.command('users').description('accounts: list, create, change');
  const command = (name: string, description: string) =>
    users
      .command(name)
      .description(description)
      .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
      .option('--json', 'print JSON');

  command('list', 'accounts, staff only unless --all')
    .option('--all', 'customers too')
    .action((flags: Flags & { all?: boolean }) =>
      withTools(flags, async ({ tx }) => {
        const found = await listAccounts(tx, flags.all === true);
        if (flags.json) return void console.log(JSON.stringify(found.map(view), null, 2));
        for (const user of found) console.log(lineOf(user));
      }),
    );
  command('create', 'add somebody; prints a one-time password')
    .argument('<email>')
    .requiredOption('--role <role>', `one of ${ASSIGNABLE_ROLES.join(', ')}`, parseRole)
    .requiredOption('--name <name>', 'full name')
    .action((email: string, flags: Flags & { role: Role; name: string }) =>
      withTools(flags, async ({ administration }) => {
        const { role, name } = flags;
        const made = await administration.create({ email: parseEmail(email), fullName: name, role }, OPERATOR);
        tellPassword(flags, { userId: made.userId, email, role }, made.oneTimePassword);
      }),
    );
  command('set-role', 'give another role; sessions end')
    .argument('<email-or-id>')
    .argument('<role>', ASSIGNABLE_ROLES.join(', '), parseRole)
    .action((who: string, role: Role, flags: Flags) =>
      change(flags, who, `has the role ${role}`, (tools, id) => tools.administration.setRole(id, role, OPERATOR)),
    );
  command('set-tier', 'give other limits')
    .argument('<email-or-id>')
    .argument('<tier>', TIERS.join(', '), parseTier)
    .action((who: string, tier: Tier, flags: Flags) =>
      change(flags, who, `has the tier ${tier}`, (tools, id) => tools.administration.setTier(id, tier, OPERATOR)),
    );
  command('disable', 'shut an account; sessions end')
    .argument('<email-or-id>')
    .action((who: string, flags: Flags) =>
      change(flags, who, 'is disabled', (tools, id) => tools.administration.setDisabled(id, true, OPERATOR)),
    );
  command('enable', 'open an account again')
    .argument('<email-or-id>')
    .action((who: string, flags: Flags) =>
      change(flags, who, 'is enabled', (tools, id) => tools.administration.setDisabled(id, false, OPERATOR)),
    );
  command('reset-password', 'replace the password; prints a one-time password; sessions end')
    .argument('<email-or-id>')
    .action((who: string, flags: Flags) =>
      withTools(flags, async (tools) => {
        const user = await accountOf(tools.tx, who);
        const password = await tools.administration.resetPassword(user.id, OPERATOR);
        tellPassword(flags, { userId: user.id, email: user.email }, password);
      }),
    );
  command('reset-mfa', 'take the authenticator away; sessions end')
    .argument('<email-or-id>')
    .action((who: string, flags: Flags) =>
      change(flags, who, 'has no authenticator', (tools, id) => tools.administration.resetMfa(id, OPERATOR)),
    );
}

function change(
  flags: Flags,
  who: string,
  what: string,
  apply: (tools: Tools, userId: string) => Promise<void>,
): Promise<void> {
  return withTools(flags, async (tools) => {
    const { id } = await accountOf(tools.tx, who);
    await apply(tools, id);
    const changed = await accountOf(tools.tx, id);
    console.log(flags.json ? JSON.stringify(view(changed)) : `${changed.email} ${what}.`);
  });
}

async function withTools(flags: Flags, work: (tools: Tools) => Promise<void>): Promise<void> {
  const [
    { createOrm },
    { createAuditLog },
    { openKeyring },
    { createOutbox },
    { createUserAdministration },
    { createPasswordHasher },
    { installationConfig },
  ] = await Promise.all([
    import('../db/orm.ts'),
    import('../db/audit.ts'),
    import('../db/keyring.ts'),
    import('../db/outbox.ts'),
    import('../db/user-administration.ts'),
    import('../security/passwords.ts'),
    import('./installation-config.ts'),
  ]);
  const config = installationConfig(flags.dataDir);
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 2, applicationName: 'tradeguard-users' });
  try {
    const keyring = await openKeyring(db, config);
    const administration = createUserAdministration({
      db,
      audit: createAuditLog({ auditKey: config.auditKey }),
      passwords: createPasswordHasher(),
      keyring,
      outbox: createOutbox({ keyring }),
    });
    await work({ administration, tx: db.fork() });
  } finally {
    await db.close();
  }
}

const ACCOUNTS = `select u.id, u.email, u.full_name, u.role, u.tier, u.disabled_at is not null as disabled,
    exists (select from totp_factor f where f.user_id = u.id and f.confirmed_at is not null) as mfa from app_user u`;

function listAccounts(tx: Tx, all: boolean): Promise<AccountRow[]> {
  return rows<AccountRow>(tx, `${ACCOUNTS} where $1 or u.role <> 'customer' order by u.created_at, u.id`, [all]);
}

async function accountOf(tx: Tx, who: string): Promise<AccountRow> {
  const [found] = await rows<AccountRow>(tx, `${ACCOUNTS} where u.email_key = $1 or u.id::text = $1`, [
    normaliseEmail(who),
  ]);
  if (found === undefined) throw new Error(`There is no account ${who}.`);
  return found;
}

function view({ id, email, full_name, role, tier, disabled, mfa }: AccountRow) {
  return { userId: id, email, fullName: full_name, role, tier, disabled, mfa };
}

function lineOf({ id, email, role, tier, disabled, mfa }: AccountRow): string {
  return `${id}  ${role.padEnd(8)}  ${tier.padEnd(8)}  ${mfa ? 'MFA' : '---'}  ${disabled ? 'disabled' : 'enabled '}  ${email}`;
}

function tellPassword(flags: Flags, user: Record<string, string>, oneTimePassword: string): void {
  if (flags.json) return void console.log(JSON.stringify({ ...user, oneTimePassword }));
  console.log(`${user.email}: one-time password (printed only now): ${oneTimePassword}`);
}

function parseRole(value: string): Role {
  if (isRole(value) && (ASSIGNABLE_ROLES as readonly Role[]).includes(value)) return value;
  throw new InvalidArgumentError(`A role is one of ${ASSIGNABLE_ROLES.join(', ')}.`);
}

function parseTier(value: string): Tier {
  if (isTier(value)) return value;
  throw new InvalidArgumentError(`A tier is one of ${TIERS.join(', ')}.`);
}

function parseEmail(value: string): string {
  if (/^[^@\s]{1,64}@[^@\s]+$/.test(value) && value.length <= 254) return value;
  throw new Error(`${value} is no e-mail address.`);
}
