import { normaliseEmail } from '../domain/email.ts';
import { parseBankAccount, parseEin, parseItin, parsePhone, parseSsn } from '../domain/pii.ts';
import { decryptWithAny, type Fernet, FernetError } from '../security/fernet.ts';
import { decryptMembers } from '../security/field-batch.ts';
import type { Keyring } from '../security/keyring.ts';
import type { AuditLog } from './audit.ts';
import type { Database } from './orm.ts';
import { changeProfile, PII_FIELDS, type PiiField, PROFILE_PII, profileRow, readProfileTokens } from './profiles.ts';
import { row } from './sql.ts';

const MAX_ADDRESS = 500;

const PARSE: Readonly<Record<PiiField, (text: string) => string | undefined>> = {
  phone: parsePhone,
  address: (text) => (text.trim().length > 0 && text.length <= MAX_ADDRESS ? text.trim() : undefined),
  ssn: parseSsn,
  accountNumber: parseBankAccount,
  ein: parseEin,
  itin: parseItin,
};

/** One line of the file: `userId` or `email`, and Fernet tokens by the name of their field. */
export type FernetRow = Readonly<Record<string, string | undefined>>;

/** What became of a line. A failure names its field and why, never a value or a token. */
export type FernetRowResult =
  | { status: 'imported' | 'unchanged'; fields: PiiField[] }
  | {
      status: 'failed';
      field: string;
      code: 'user_unknown' | 'column_unknown' | 'conflict' | 'invalid' | FernetError['code'];
    };

/**
 * Takes in what an older system encrypted with Fernet: each token is opened, held against the rules of its field and
 * stored under our own key. A line is one transaction, and a value that is there already is left alone, so a file that was
 * interrupted is simply imported again.
 */
export function createFernetImport(deps: {
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
  fernets: readonly Fernet[];
}) {
  const { db, keyring, fernets } = deps;

  function opened(
    given: FernetRow,
  ): Partial<Record<PiiField, string>> | Extract<FernetRowResult, { status: 'failed' }> {
    const values: Partial<Record<PiiField, string>> = {};
    for (const [field, token] of Object.entries(given)) {
      if (field === 'userId' || field === 'email' || !token) continue;
      if (!isPiiField(field)) return { status: 'failed', field, code: 'column_unknown' };
      try {
        const value = PARSE[field](decryptWithAny(fernets, token.trim()).message.toString('utf8'));
        if (value === undefined) return { status: 'failed', field, code: 'invalid' };
        values[field] = value;
      } catch (error) {
        if (!(error instanceof FernetError)) throw error;
        return { status: 'failed', field, code: error.code };
      }
    }
    return values;
  }

  return {
    /** @param overwrite replaces another value; without it that is a conflict */
    async importRow(given: FernetRow, { overwrite }: { overwrite: boolean }): Promise<FernetRowResult> {
      const values = opened(given);
      if ('status' in values) return values as Extract<FernetRowResult, { status: 'failed' }>;
      return db.transaction(async (tx) => {
        const user = await row<{ id: string }>(tx, 'select id from app_user where id::text = $1 or email_key = $2', [
          given.userId ?? '',
          normaliseEmail(given.email ?? ''),
        ]);
        if (user === undefined)
          return { status: 'failed', field: given.userId ? 'userId' : 'email', code: 'user_unknown' };
        const fields = Object.keys(values) as PiiField[];
        const { fullName, timeZone, updatedAt, ...tokens } = await readProfileTokens(tx, user.id);
        const present = decryptMembers(keyring, PROFILE_PII, tokens, profileRow(user.id), fields);
        const changed = fields.filter((field) => present[field] !== values[field]);
        const taken = changed.find((field) => present[field] !== null);
        if (taken !== undefined && !overwrite) return { status: 'failed', field: taken, code: 'conflict' };
        if (changed.length === 0) return { status: 'unchanged', fields };
        await changeProfile(tx, deps, {
          userId: user.id,
          changes: Object.fromEntries(changed.map((field) => [field, values[field]])),
          by: { actor: { kind: 'operator' } },
        });
        return { status: 'imported', fields: changed };
      });
    },
  };
}

function isPiiField(name: string): name is PiiField {
  return (PII_FIELDS as readonly string[]).includes(name);
}
