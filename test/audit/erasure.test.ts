import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encryptedColumns } from '../../db/encrypted-columns.ts';
import { countOutdated, isFieldKeyInUse, reencryptBatch } from '../../db/reencryption.ts';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { eraseAuditIdentity } from '../../db/subject-erasure.ts';
import { createSubjectKeys, readShreddings, type SubjectKeys, shredKey } from '../../db/subject-keys.ts';
import { createUser } from '../../db/users.ts';
import { DomainError } from '../../domain/errors.ts';
import { decryptField, FieldDecryptionError } from '../../security/field-encryption.ts';
import type { Keyring } from '../../security/keyring.ts';
import { openForSubject, openSubjectKey } from '../../security/subject-cipher.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { keyringFor } from '../security/keyring-fixture.ts';
import { createLog, type Log } from './log-fixture.ts';

const OPERATOR = { kind: 'operator' } as const;
const ERASED = expect.objectContaining({ code: 'erased' });

let log: Log;
let keyring: Keyring;
let subjectKeys: SubjectKeys;
let counter = 0;
beforeAll(async () => {
  log = await createLog();
  keyring = await keyringFor('field');
  subjectKeys = createSubjectKeys({ keyring });
});
afterAll(() => log.close());

/** Somebody of whom nothing is sealed yet. */
async function person(): Promise<string> {
  const id = uuidV7();
  await run(
    log.db.fork(),
    `insert into app_user (id, email, email_key, full_name, role) values ($1, $2, $2, 'Test Person', 'customer')`,
    [id, `${id}@example.com`],
  );
  return id;
}

/** Somebody as the product adds them, with the audit entry. */
async function customer() {
  counter += 1;
  const given = { email: `ada${counter}@example.com`, fullName: `Ada Example ${counter}` };
  const userId = await log.db.transaction((tx) =>
    createUser(
      tx,
      { audit: log.audit, subjectKeys },
      {
        ...given,
        ...{ timeZone: null, role: 'customer', passwordHash: null, oneTime: false, confirmed: true, actor: OPERATOR },
      },
    ),
  );
  if (userId === undefined) throw new Error('the address is taken');
  return { userId, ...given };
}

const disable = (userId: string) =>
  run(log.db.fork(), 'update app_user set disabled_at = clock_timestamp() where id = $1', [userId]);
const erase = (userId: string) =>
  log.db.transaction((tx) =>
    eraseAuditIdentity(tx, { audit: log.audit }, { userId, reason: 'asked for it in writing', actor: OPERATOR }),
  );
const seal = (userId: string, email: string) =>
  log.db.transaction(async (tx) => (await subjectKeys.seal(tx, userId, { email })).email);
const open = (userId: string, email: string) =>
  log.db.transaction(async (tx) => (await subjectKeys.open(tx, userId, { email })).email);
const stored = (userId: string) =>
  oneRow<{ key: string | null; shredded_at: string | null; reason: string | null; created_at: string }>(
    log.db.fork(),
    'select * from subject_key where subject = $1',
    [userId],
  );
const entriesAbout = async (userId: string, action: string) =>
  rows<{ id: string; entry: string; entry_hmac: Buffer; seq: string | null; hash: Buffer | null; leaf_hash: Buffer }>(
    log.db.fork(),
    `select e.id, e.entry, e.entry_hmac, s.seq, s.hash, s.leaf_hash from audit_entry e
       left join audit_seal s on s.entry_id = e.id where e.subject = $1 and e.action = $2`,
    [userId, action],
  );

describe('the key of a person', () => {
  it('is made by the first seal, once, by twenty at the same time', async () => {
    const userId = await person();
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => seal(userId, `${n}@example.com`)));
    expect(await Promise.all(tokens.map((token) => open(userId, token)))).toEqual(
      tokens.map((_, n) => `${n}@example.com`),
    );
    expect(await rows(log.db.fork(), 'select 1 from subject_key where subject = $1', [userId])).toHaveLength(1);
  });

  it('is not there when the transaction that made it was rolled back, and the next one makes its own', async () => {
    const userId = await person();
    const failing = log.db.transaction(async (tx) => {
      await subjectKeys.seal(tx, userId, { email: 'a@example.com' });
      throw new Error('undone');
    });
    const [token] = await Promise.all([seal(userId, 'b@example.com'), expect(failing).rejects.toThrow('undone')]);
    expect(await open(userId, token)).toBe('b@example.com');
  });

  it('lies in the database wrapped, and survives the rotation of what wraps it', async () => {
    const userId = await person();
    const token = await seal(userId, 'ada@example.com');
    const before = await stored(userId);
    const old = keyring.generations('field')[0]?.keyId ?? '';
    await keyring.openWrapped(await keyring.generateWrapped('field', 2), { active: true });
    const column = encryptedColumns.find(({ table }) => table === 'subject_key');
    if (column === undefined) throw new Error('it is not among what is re-encrypted');
    const { done, unreadable } = await log.db.transaction((tx) =>
      reencryptBatch(tx, keyring, column, { after: null, limit: 10_000 }),
    );
    expect({ done: done > 0, unreadable }).toEqual({ done: true, unreadable: [] });
    expect(await countOutdated(log.db.fork(), keyring)).toBe(0);
    expect(await isFieldKeyInUse(log.db.fork(), old)).toBe(false);
    keyring.forget('field', old);
    expect((await stored(userId)).key).not.toBe(before.key);
    expect(await open(userId, token)).toBe('ada@example.com');
  });

  it('is wrapped for its person: in the row of another it opens nothing', async () => {
    const [one, two] = [await person(), await person()];
    const token = await seal(one, 'ada@example.com');
    await seal(two, 'bob@example.com');
    const { key: before } = await stored(two);
    const put = (key: string | null) =>
      run(log.ownerDb.fork(), 'update subject_key set key = $2 where subject = $1', [two, key]);
    await put((await stored(one)).key);
    await expect(open(two, token)).rejects.toThrow(FieldDecryptionError);
    await put(before);
    expect(await open(one, token)).toBe('ada@example.com');
  });
});

describe('shredding', () => {
  const shred = (userId: string) => log.db.transaction((tx) => shredKey(tx, userId, 'asked for it'));

  it('overwrites the key, keeps who and when, and is final, also to the owner of the tables', async () => {
    const userId = await person();
    const token = await seal(userId, 'ada@example.com');
    const before = await stored(userId);
    expect(await shred(userId)).toBe(true);
    expect(await stored(userId)).toMatchObject({ key: null, reason: 'asked for it', created_at: before.created_at });
    await expect(open(userId, token)).rejects.toEqual(ERASED);
    await expect(seal(userId, 'again@example.com')).rejects.toEqual(ERASED);
    const first = await stored(userId);
    expect(await shred(userId)).toBe(false);
    expect(await stored(userId)).toEqual(first);
    for (const statement of [
      'update subject_key set key = $2, shredded_at = null, reason = null where subject = $1',
      'delete from subject_key where subject = $1 and key is distinct from $2',
    ]) {
      for (const db of [log.db, log.ownerDb]) {
        await expect(run(db.fork(), statement, [userId, before.key])).rejects.toThrow(
          /was shredded|append-only|permission denied/,
        );
      }
    }
    await expect(run(log.ownerDb.fork(), 'truncate subject_key')).rejects.toThrow(/append-only/);
    expect((await readShreddings(log.db.fork()))?.map(({ subject }) => subject)).toContain(userId);
  });

  it('of somebody without a key sees to it that there never is one', async () => {
    const userId = await person();
    expect(await shred(userId)).toBe(true);
    await expect(seal(userId, 'ada@example.com')).rejects.toEqual(ERASED);
  });

  it('at the same time as sealing leaves nothing that opens', async () => {
    for (let round = 0; round < 10; round += 1) {
      const userId = await person();
      if (round % 2 === 0) await seal(userId, 'first@example.com');
      const done = await Promise.allSettled([
        ...Array.from({ length: 5 }, () => seal(userId, 'before@example.com')),
        shred(userId),
        shred(userId),
        ...Array.from({ length: 5 }, () => seal(userId, 'after@example.com')),
      ]);
      const failures = done.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      for (const failure of failures) expect(failure).toEqual(ERASED);
      const tokens = done.flatMap((one) =>
        one.status === 'fulfilled' && typeof one.value === 'string' ? [one.value] : [],
      );
      expect(tokens.length + failures.length).toBe(10);
      expect(done.filter((one) => one.status === 'fulfilled' && one.value === true)).toHaveLength(1);
      expect((await stored(userId)).key).toBeNull();
      for (const token of tokens) await expect(open(userId, token)).rejects.toEqual(ERASED);
    }
  });

  it('waits for a transaction that is sealing, whose token it then makes unreadable', async () => {
    const userId = await person();
    await seal(userId, 'first@example.com');
    let shredded: Promise<unknown> | undefined;
    let isShredded = false;
    const token = await log.db.transaction(async (tx) => {
      const { email } = await subjectKeys.seal(tx, userId, { email: 'ada@example.com' });
      shredded = shred(userId).then(() => {
        isShredded = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(isShredded).toBe(false);
      return email;
    });
    await shredded;
    await expect(open(userId, token)).rejects.toEqual(ERASED);
  });

  it('is not undone by a rotation that read the key before', async () => {
    const userId = await person();
    await seal(userId, 'ada@example.com');
    await keyring.openWrapped(await keyring.generateWrapped('field', 3), { active: true });
    const column = { table: 'subject_key', column: 'key', rowId: 'subject' };
    let rotated: Promise<unknown> | undefined;
    await log.db.transaction(async (tx) => {
      await shredKey(tx, userId, 'asked for it');
      // Reads the key that is still there to it, and waits for the row.
      rotated = log.db.transaction((other) => reencryptBatch(other, keyring, column, { after: null, limit: 10_000 }));
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    await rotated;
    expect((await stored(userId)).key).toBeNull();
  });
});

describe('the audit log of somebody who was erased', () => {
  it('is to the byte what it was, verifies, and says nothing about who it was', async () => {
    const { userId, email, fullName } = await customer();
    const other = await customer();
    await log.append('before');
    await log.seal();
    const [before] = await entriesAbout(userId, 'account.created');
    if (before === undefined) throw new Error('there is no entry');
    const { sealed } = JSON.parse(before.entry).details;
    expect(Object.keys(sealed).sort()).toEqual(['email', 'fullName']);
    expect(before.entry).not.toContain(email);
    expect(before.entry).not.toContain(fullName);
    const inClear = await log.db.transaction((tx) => subjectKeys.open(tx, userId, sealed));
    expect(inClear).toEqual({ email, fullName });
    const headBefore = (await log.verify()).head;

    const { key: wrapped } = await stored(userId);
    await disable(userId);
    await erase(userId);
    await log.append('after');
    await log.seal();

    const [after] = await entriesAbout(userId, 'account.created');
    expect(after).toEqual(before);
    const prev = await oneRow<{ prev_hash: Buffer }>(
      log.db.fork(),
      'select prev_hash from audit_seal where entry_id = $1',
      [before.id],
    );
    const hash = createHash('sha256').update(prev.prev_hash).update(before.entry).digest();
    expect(after?.hash).toEqual(hash);
    const result = await log.verify();
    expect(result).toMatchObject({ valid: true, firstInvalidSeq: null, reason: null });
    expect(result.head.seq).toBeGreaterThan(headBefore.seq);

    await expect(log.db.transaction((tx) => subjectKeys.open(tx, userId, sealed))).rejects.toEqual(ERASED);
    // Nor with any key there is: those of the keyring, and those of other people.
    const place = { table: 'audit_entry', column: 'sealed.email', rowId: userId };
    expect(() => decryptField(keyring, sealed.email, place)).toThrow(FieldDecryptionError);
    const keys = await rows<{ subject: string; key: string }>(
      log.db.fork(),
      'select subject, key from subject_key where key is not null',
    );
    expect(keys.map(({ subject }) => subject)).toContain(other.userId);
    for (const { subject, key } of keys) {
      const { key: theirs } = openSubjectKey(keyring, subject, key);
      const asTheirs = { subject: userId, key: theirs };
      expect(() => openForSubject(asTheirs, { purpose: 'audit_entry', member: 'email' }, sealed.email)).toThrow(
        FieldDecryptionError,
      );
    }
    // What was destroyed was what it took.
    const destroyed = openSubjectKey(keyring, userId, wrapped ?? '');
    expect(openForSubject(destroyed, { purpose: 'audit_entry', member: 'email' }, sealed.email)).toBe(email);
    expect(
      await log.db.transaction(async (tx) => {
        const [theirs] = await entriesAbout(other.userId, 'account.created');
        return subjectKeys.open(tx, other.userId, JSON.parse(theirs?.entry ?? '').details.sealed);
      }),
    ).toEqual({ email: other.email, fullName: other.fullName });
  });

  it('has one entry of it, without the reason, however often it is asked for', async () => {
    const { userId } = await customer();
    await disable(userId);
    const answers = await Promise.all([erase(userId), erase(userId), erase(userId)]);
    expect(new Set(answers.map(({ erasedAt }) => erasedAt)).size).toBe(1);
    const found = await entriesAbout(userId, 'subject.shredded');
    expect(found).toHaveLength(1);
    const entry = JSON.parse(found[0]?.entry ?? '');
    expect(entry).toMatchObject({ severity: 'high', outcome: 'success', details: { source: 'request' } });
    expect(JSON.stringify(entry)).not.toContain('in writing');
    expect(await stored(userId)).toMatchObject({ reason: 'asked for it in writing' });
  });

  it('is kept while the account works, has money or has an open order', async () => {
    const { userId } = await customer();
    const obstacles = async () => {
      try {
        await erase(userId);
      } catch (error) {
        if (error instanceof DomainError) return [error.code, error.extra.obstacles];
        throw error;
      }
      return 'erased';
    };
    expect(await obstacles()).toEqual(['account_in_use', ['not_disabled']]);
    await disable(userId);
    const { id: accountId } = await oneRow<{ id: string }>(log.db.fork(), 'select id from account where user_id = $1', [
      userId,
    ]);
    await run(log.ownerDb.fork(), `insert into account_balance (account_id, asset, balance) values ($1, 'USD', 1)`, [
      accountId,
    ]);
    expect(await obstacles()).toEqual(['account_in_use', ['balance']]);
    await run(log.ownerDb.fork(), 'update account_balance set balance = 0 where account_id = $1', [accountId]);
    const transactionId = uuidV7();
    await run(
      log.ownerDb.fork(),
      `insert into transaction (id, user_id, account_id, type, amount, currency, category, body_hash, status, score,
         rule_set_version, reasons, features, first_status, first_body, t, settings)
       values ($1, $2, $3, 'withdrawal', 100, 'USD', 'test', '\\x00', 'quarantined', 0, 'test', '[]', '{}', 202, '{}',
         clock_timestamp(), '{}')`,
      [transactionId, userId, accountId],
    );
    expect(await obstacles()).toEqual(['account_in_use', ['open_transactions']]);
    expect((await stored(userId)).key).not.toBeNull();
    await run(
      log.ownerDb.fork(),
      `update transaction set status = 'rejected', code = 'cancelled', finished_at = clock_timestamp() where id = $1`,
      [transactionId],
    );
    expect(await obstacles()).toBe('erased');
    expect((await row(log.db.fork(), 'select 1 from app_user where id = $1', [userId])) !== undefined).toBe(true);
  });

  it('is not erased for somebody who is not there', async () => {
    await expect(erase(uuidV7())).rejects.toMatchObject({ code: 'not_found' });
  });
});
