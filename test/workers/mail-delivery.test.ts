import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMailDelivery } from '../../activities/mail-delivery.ts';
import { createAuditLog } from '../../db/audit.ts';
import { createOutbox } from '../../db/outbox.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { createMailer, type Mail, MailError, type Mailer } from '../../platform/mailer.ts';
import type { Keyring } from '../../security/keyring.ts';
import { createOutboxDispatcher } from '../../workers/outbox-dispatcher.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';
import { eventually } from '../helpers/eventually.ts';
import { createMailbox } from '../helpers/mailbox.ts';
import { keyringFor } from '../security/keyring-fixture.ts';

const log = pino({ level: 'silent' });
const audit = createAuditLog({ auditKey: createSecretKey(randomBytes(32)) });
let database: TestDatabase;
let keyring: Keyring;
let folder: string;
let letters = 0;

beforeAll(async () => {
  database = await createDatabase();
  keyring = await keyringFor('field');
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mail-'));
  await run(database.ownerDb.fork(), 'delete from outbox_mail');
  return () => rmSync(folder, { recursive: true, force: true });
});
afterAll(() => database?.close());

const outbox = () => createOutbox({ keyring });
type Sender = Pick<Mailer, 'send'>;
const delivery = (mailer: Sender = createMailer({ mailDir: folder, from: 'test@example.com' })) =>
  createMailDelivery({ db: database.db, outbox: outbox(), mailer, audit, log });

function enqueue(text = 'Your code is 123456.'): Promise<string> {
  letters += 1;
  const key = `letter-${letters}`;
  return database.db.transaction((tx) =>
    outbox().enqueue(tx, {
      key,
      userId: null,
      to: 'somebody@example.com',
      template: 'test',
      subject: 'A test',
      text,
    }),
  );
}

const stored = (id: string) =>
  oneRow<{ body: string | null; sent: boolean; failed: boolean; attempts: number; wait: number }>(
    database.db.fork(),
    `select body, sent_at is not null as sent, failed_at is not null as failed, attempts,
            extract(epoch from next_attempt_at - clock_timestamp())::float8 as wait from outbox_mail where id = $1`,
    [id],
  );

function failingMailer(error: Error): Sender & { tried: number } {
  const mailer = {
    tried: 0,
    send: async (_mail: Mail) => {
      mailer.tried += 1;
      throw error;
    },
  };
  return mailer;
}
const outage = () => new MailError('smtp_unavailable', 'no reply', { retryable: true });

describe('a letter', () => {
  test('is sent once, however many processes and callers try at the same time, and its text is forgotten', async () => {
    const id = await enqueue();
    expect((await stored(id)).body).not.toContain('123456');
    const both = [delivery(), delivery()];
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => both[n % 2]?.deliver(id)));
    expect(new Set(results)).toEqual(new Set(['sent']));
    expect(createMailbox(folder).codesFor('somebody@example.com')).toEqual(['123456']);
    expect(await stored(id)).toMatchObject({ sent: true, body: null, attempts: 1 });
  });

  test('that another process is sending is waited for, not sent twice', async () => {
    const id = await enqueue();
    let release = () => {};
    const slow: Sender = {
      send: (mail) =>
        new Promise((resolve) => {
          release = () => resolve({ messageId: mail.id });
        }),
    };
    const first = delivery(slow).deliver(id);
    await eventually(async () => (await stored(id)).attempts === 1);
    const second = delivery(failingMailer(outage())).deliver(id);
    release();
    expect(await Promise.all([first, second])).toEqual(['sent', 'sent']);
  });

  test('whose sender died in the middle is sent by another, to the same file', async () => {
    const id = await enqueue();
    const { body } = await stored(id);
    await delivery().deliver(id);
    const [file] = readdirSync(folder);
    await run(
      database.ownerDb.fork(),
      `update outbox_mail set sent_at = null, body = $2, claimed_until = clock_timestamp() - interval '1 second' where id = $1`,
      [id, body],
    );
    expect(await delivery().deliverDue(10)).toBe(1);
    expect(readdirSync(folder)).toEqual([file]);
  });

  test('that the server does not take now is kept and tried again later, with growing pauses', async () => {
    const id = await enqueue();
    const mailer = failingMailer(outage());
    expect(await delivery(mailer).deliver(id)).toBe('delayed');
    expect(await stored(id)).toMatchObject({ sent: false, failed: false, attempts: 1, wait: expect.closeTo(2, 0) });
    expect(await delivery(mailer).deliverDue(10)).toBe(0);
    expect(await delivery(mailer).deliver(id)).toBe('delayed');
    expect((await stored(id)).wait).toBeCloseTo(4, 0);
    expect(mailer.tried).toBe(2);
    expect(await delivery().deliver(id)).toBe('sent');
  });

  test('that the server refuses for good is given up at once, with an audit entry', async () => {
    const id = await enqueue();
    const refused = new MailError('smtp_rejected', 'no such mailbox', { retryable: false });
    expect(await delivery(failingMailer(refused)).deliver(id)).toBe('failed');
    expect(await delivery().deliver(id)).toBe('failed');
    expect(
      await rows(database.ownerDb.fork(), 'select action, outcome from audit_entry where subject = $1', [id]),
    ).toEqual([{ action: 'mail.failed', outcome: 'failure' }]);
  });

  test('is given up after a day', async () => {
    const id = await enqueue();
    await run(
      database.ownerDb.fork(),
      `update outbox_mail set created_at = clock_timestamp() - interval '25 hours' where id = $1`,
      [id],
    );
    expect(await delivery(failingMailer(outage())).deliver(id)).toBe('failed');
  });

  test('that does not exist is unknown', async () => {
    expect(await delivery().deliver('00000000-0000-7000-8000-000000000000')).toBe('unknown');
  });
});

describe('the dispatcher', () => {
  test('sends within a second of the commit, also behind a letter that no server would take', async () => {
    const stop = new AbortController();
    const running = createOutboxDispatcher({ delivery: delivery(), log }).run(stop.signal);
    const started = Date.now();
    const ids = await Promise.all([enqueue('one'), enqueue('x'.repeat(1_000)), enqueue('three')]);
    const [one = '', two = '', three = ''] = ids;
    await eventually(async () => (await stored(one)).sent && (await stored(three)).sent);
    expect(Date.now() - started).toBeLessThan(1_500);
    // Letters go out side by side: the refused one may end after the others.
    await eventually(async () => (await stored(two)).failed, { what: 'the letter to be given up' });
    expect(await stored(two)).toMatchObject({ sent: false, failed: true });
    stop.abort();
    await running;
  });
});
