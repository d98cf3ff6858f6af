import { DomainError } from '../domain/errors.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { oneRow, row, type Tx } from './sql.ts';
import { type Shredding, shreddedAt, shredKey } from './subject-keys.ts';

/** What keeps an account's identity in the log from being erased. */
export type ErasureObstacle = 'not_disabled' | 'balance' | 'open_transactions';

export interface ErasureRequest {
  userId: string;
  reason: string;
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

/** Who asked: a person, or a restore that brought the key back, by the database it replaced or by an export. */
type Source = 'request' | 'restore' | 'export';

/**
 * Erases whom the audit log speaks of: the key of what it sealed about this person is destroyed. Entries, account and
 * profile stay as they are. Only for an account that is disabled and has nothing left, since as long as there is
 * money its owner has to be known.
 *
 * @returns when it was erased, RFC 3339; the first time where it was before
 * @throws DomainError `not_found`, `account_in_use`
 */
export async function eraseAuditIdentity(
  tx: Tx,
  { audit }: { audit: AuditLog },
  { userId, reason, ...by }: ErasureRequest,
): Promise<{ erasedAt: string }> {
  const user = await row<{ disabled: boolean }>(
    tx,
    'select disabled_at is not null as disabled from app_user where id = $1 for no key update',
    [userId],
  );
  if (user === undefined) throw new DomainError('not_found', 'There is no such user.');
  const before = await shreddedAt(tx, userId);
  if (before !== null) return { erasedAt: before };
  const obstacles = await obstaclesOf(tx, userId, user.disabled);
  if (obstacles.length > 0) {
    throw new DomainError('account_in_use', 'Disable the account first, and let it have no money and no open orders.', {
      obstacles,
    });
  }
  await shred(tx, { audit }, { subject: userId, reason }, { ...by, source: 'request' });
  return { erasedAt: (await shreddedAt(tx, userId)) ?? '' };
}

/**
 * Destroys the keys again that a restored backup brought back. People whom the database does not know have none.
 *
 * @returns how many there were
 */
export async function eraseAgain(
  tx: Tx,
  { audit }: { audit: AuditLog },
  shreddings: readonly Pick<Shredding, 'subject' | 'reason'>[],
  source: Exclude<Source, 'request'>,
): Promise<number> {
  let count = 0;
  for (const shredding of shreddings) {
    const known = await row(tx, 'select from app_user where id = $1', [shredding.subject]);
    if (known === undefined) continue;
    if (await shred(tx, { audit }, shredding, { actor: { kind: 'operator' }, source })) count += 1;
  }
  return count;
}

async function shred(
  tx: Tx,
  { audit }: { audit: AuditLog },
  { subject, reason }: Pick<Shredding, 'subject' | 'reason'>,
  { source, ...by }: Omit<ErasureRequest, 'userId' | 'reason'> & { source: Source },
): Promise<boolean> {
  if (!(await shredKey(tx, subject, reason))) return false;
  await audit.append(tx, {
    ...by,
    action: 'subject.shredded',
    subject: { kind: 'user', id: subject },
    outcome: 'success',
    details: { source },
  });
  return true;
}

async function obstaclesOf(tx: Tx, userId: string, isDisabled: boolean): Promise<ErasureObstacle[]> {
  const { balance, open } = await oneRow<{ balance: boolean; open: boolean }>(
    tx,
    `select exists (select from account a join account_balance b on b.account_id = a.id
                     where a.user_id = $1 and b.balance > 0) as balance,
            exists (select from transaction where user_id = $1 and finished_at is null) as open`,
    [userId],
  );
  return [
    ...(isDisabled ? [] : ['not_disabled' as const]),
    ...(balance ? ['balance' as const] : []),
    ...(open ? ['open_transactions' as const] : []),
  ];
}
