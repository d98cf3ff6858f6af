import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterEach, describe, expect, it } from 'vitest';
import { createMailer, type Mail, MailError } from '../../platform/mailer.ts';

const from = 'Tradeguard <security@tradeguard.localhost>';
const mail: Mail = {
  id: 'login:018f2f6e-0000-7000-8000-000000000001:code-1',
  to: 'ann@example.com',
  subject: 'Your sign-in code',
  text: 'Your code is\n\n012345\n\nIt is good for 10 minutes.\n',
  createdAt: new Date('2026-03-01T12:34:56.789Z'),
  code: '012345',
};

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function mailDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailer-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  return join(folder, 'data', 'mail');
}

type Received = { from: string; to: string[]; data: string };
type Replies = { onRcpt?: number; onData?: number };

async function smtpServer(replies: Replies = {}, requireLogin = false) {
  const received: Received[] = [];
  const refusal = (responseCode: number) => Object.assign(new Error('no such box ann@example.com'), { responseCode });
  const server = new SMTPServer({
    authOptional: !requireLogin,
    disabledCommands: requireLogin ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
    allowInsecureAuth: true,
    onAuth: (_auth, _session, done) => done(Object.assign(new Error('bad password'), { responseCode: 535 })),
    onRcptTo: (_address, _session, done) => done(replies.onRcpt ? refusal(replies.onRcpt) : null),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (replies.onData) return done(refusal(replies.onData));
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          data: Buffer.concat(chunks).toString(),
        });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as { port: number };
  return { received, url: `smtp://127.0.0.1:${port}`, port };
}

const bodyOf = (message: string) => message.slice(message.indexOf('\r\n\r\n') + 4);

describe('mail as files', () => {
  it('names the file by its UTC millisecond, so that a listing is in the order of time', async () => {
    const dir = mailDir();
    const mailer = createMailer({ mailDir: dir, from });
    await mailer.send({ ...mail, id: 'b', createdAt: new Date('2026-03-01T12:34:56.790Z') });
    await mailer.send({ ...mail, id: 'c', createdAt: new Date('2026-03-01T12:34:56.089Z') });
    const { file } = await mailer.send(mail);
    const names = readdirSync(dir).sort();
    expect(names).toEqual([
      '20260301T123456089Z-c.eml',
      '20260301T123456789Z-login%3A018f2f6e-0000-7000-8000-000000000001%3Acode-1.eml',
      '20260301T123456790Z-b.eml',
    ]);
    expect(file).toBe(join(dir, names[1] ?? ''));
  });

  it('replaces the file when the same mail is sent again, byte for byte, and leaves nothing beside it', async () => {
    const dir = mailDir();
    const first = await createMailer({ mailDir: dir, from }).send(mail);
    const before = readFileSync(first.file ?? '');
    const second = await createMailer({ mailDir: dir, from }).send(mail);
    expect(second).toEqual(first);
    expect(readFileSync(second.file ?? '')).toEqual(before);
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it('lets only the owner read folder and file', async () => {
    const dir = mailDir();
    const { file } = await createMailer({ mailDir: dir, from }).send(mail);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(file ?? '').mode & 0o777).toBe(0o600);
  });

  it('is text/plain 7bit, lines unbroken, with the code as the only six-digit number', async () => {
    const link = `http://localhost:3000/reset#token=${'x'.repeat(300)}`;
    const text = `${mail.text}\n${link}\n`;
    const { file } = await createMailer({ mailDir: mailDir(), from }).send({ ...mail, text });
    const message = readFileSync(file ?? '', 'utf8');
    expect(message).toContain('\r\nContent-Type: text/plain; charset=us-ascii\r\n');
    expect(message).toContain('\r\nContent-Transfer-Encoding: 7bit\r\n');
    expect(message).toContain('\r\nDate: Sun, 01 Mar 2026 12:34:56 +0000\r\n');
    expect(bodyOf(message).split('\r\n')).toContain(link);
    expect(bodyOf(message).match(/\d{6}/g)).toEqual(['012345']);
    // The headers hold none either, for whoever searches the whole file.
    expect(message.match(/\d{6}/g)).toEqual(['012345']);
    expect(message.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it('says so, retryably, when the folder cannot be written', async () => {
    const mailer = createMailer({ mailDir: '/dev/null/mail', from });
    await expect(mailer.send(mail)).rejects.toMatchObject({ code: 'mail_not_written', retryable: true });
  });
});

describe('refused mails', () => {
  const mailer = createMailer({ mailDir: '/dev/null/never-written', from });
  it.each<[string, Partial<Mail>]>([
    ['a second six-digit number', { text: 'Code 012345, order 987654' }],
    ['a longer number beside the code', { text: 'Code 012345, call 0301234567' }],
    ['the code missing', { text: 'Hello' }],
    ['the code as a part of a number', { text: 'Code 9012345' }],
    ['a header smuggled into the subject', { subject: 'Hi\r\nBcc: eve@example.com' }],
    ['two recipients', { to: 'ann@example.com, eve@example.com' }],
    ['a header smuggled into the recipient', { to: 'ann@example.com\r\nBcc: eve@example.com' }],
    ['text that is not ASCII', { text: 'Code 012345 für Ann' }],
    ['a line beyond 998 characters', { text: `012345 ${'x'.repeat(998)}` }],
    ['a bare carriage return', { text: '012345\rX' }],
    ['no id', { id: '' }],
    ['an invalid time', { createdAt: new Date(Number.NaN) }],
  ])('%s is refused for good', async (_, change) => {
    await expect(mailer.send({ ...mail, ...change })).rejects.toMatchObject({ code: 'mail_invalid', retryable: false });
  });

  it('refuses a sender that is no address at start', () => {
    expect(() => createMailer({ mailDir: '/dev/null', from: 'Tradeguard' })).toThrow(MailError);
  });
});

describe('mail by SMTP', () => {
  it('hands over the same message that the file would hold, and writes no file', async () => {
    const { received, url } = await smtpServer();
    const dir = mailDir();
    const { file } = await createMailer({ mailDir: dir, from }).send(mail);
    const asFile = readFileSync(file ?? '', 'utf8');
    const sent = await createMailer({ smtpUrl: url, mailDir: join(dir, 'unused'), from }).send(mail);
    expect(sent).toEqual({ messageId: expect.stringMatching(/^<[a-p]{40}@tradeguard\.localhost>$/) });
    expect(received).toEqual([{ from: 'security@tradeguard.localhost', to: ['ann@example.com'], data: asFile }]);
    expect(readdirSync(dir)).toHaveLength(1);
  });

  it('gives one Message-ID for one id, another for another', async () => {
    const { received, url } = await smtpServer();
    const mailer = createMailer({ smtpUrl: url, mailDir: mailDir(), from });
    const ids = [await mailer.send(mail), await mailer.send(mail), await mailer.send({ ...mail, id: 'other' })];
    expect(received).toHaveLength(3);
    expect(ids[0]?.messageId).toBe(ids[1]?.messageId);
    expect(ids[2]?.messageId).not.toBe(ids[0]?.messageId);
    expect(received[0]?.data).toContain(`Message-ID: ${ids[0]?.messageId}`);
  });

  it('keeps a line that is a single dot', async () => {
    const { received, url } = await smtpServer();
    await createMailer({ smtpUrl: url, mailDir: mailDir(), from }).send({ ...mail, text: 'a\n.\n012345\n..b' });
    expect(bodyOf(received[0]?.data ?? '')).toBe('a\r\n.\r\n012345\r\n..b\r\n');
  });

  it.each<[string, Replies, boolean, string]>([
    ['an unknown recipient (550)', { onRcpt: 550 }, false, 'smtp_rejected'],
    ['a refused message (554)', { onData: 554 }, false, 'smtp_rejected'],
    ['a greylisted recipient (450)', { onRcpt: 450 }, true, 'smtp_unavailable'],
    ['a full disk (452)', { onData: 452 }, true, 'smtp_unavailable'],
  ])('tells for %s whether another try makes sense', async (_, replies, retryable, code) => {
    const { url } = await smtpServer(replies);
    const failure = createMailer({ smtpUrl: url, mailDir: mailDir(), from }).send(mail);
    await expect(failure).rejects.toMatchObject({ name: 'MailError', code, retryable });
    await expect(failure).rejects.not.toThrow(/ann@example\.com|012345/);
  });

  it('takes a refused log-in for a fault that an operator mends, and keeps the password to itself', async () => {
    const { port } = await smtpServer({}, true);
    const mailer = createMailer({ smtpUrl: `smtp://mta:s3cret-pw@127.0.0.1:${port}`, mailDir: mailDir(), from });
    const failure = await mailer.send(mail).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'smtp_unavailable',
      retryable: true,
      message: expect.stringContaining('535'),
    });
    expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toMatch(/s3cret-pw|mta/);
  });

  it('is retryable when nobody listens or nobody answers', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const mailer = createMailer({ smtpUrl: `smtp://127.0.0.1:${port}`, mailDir: mailDir(), from, timeoutMs: 200 });
    await expect(mailer.send(mail)).rejects.toMatchObject({ code: 'smtp_unavailable', retryable: true });
    await new Promise<void>((resolve) => silent.close(() => resolve()));
    await expect(mailer.send(mail)).rejects.toMatchObject({ code: 'smtp_unavailable', retryable: true });
  });
});
