import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createTransport, type NodemailerError } from 'nodemailer';
import { writePrivateFile } from './private-file.ts';

export type Mail = {
  /** Unique and stable, for instance `{workflowId}:{step}`: the Message-ID and the file's name are made of it. */
  id: string;
  /** One bare address. */
  to: string;
  subject: string;
  /** Printable ASCII; lines are sent as they are. What users wrote stays out of mails. */
  text: string;
  createdAt: Date;
  /** A one-time code that stands in the text: it has to be the only number of six or more digits there. */
  code?: string;
};

export type SentMail = { messageId: string; file?: string };

export type MailErrorCode = 'mail_invalid' | 'smtp_rejected' | 'smtp_unavailable' | 'mail_not_written';

/** A mail was not sent. `retryable` is false where the same mail would be refused again. Tells neither text nor URL. */
export class MailError extends Error {
  override readonly name = 'MailError';
  readonly code: MailErrorCode;
  readonly retryable: boolean;
  constructor(code: MailErrorCode, message: string, { retryable }: { retryable: boolean }) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

export type MailerOptions = {
  /** `smtp://` or `smtps://`; without it mails become files. */
  smtpUrl?: string;
  /** Folder for `.eml` files, made with mode 0700. */
  mailDir: string;
  /** The sender, `Name <address>` or an address. */
  from: string;
  /** Milliseconds for connecting, the greeting and each silence. */
  timeoutMs?: number;
};

const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$/;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** RFC 5322 section 2.1.1: at most 998 characters a line. */
const MAX_LINE = 998;

/**
 * Sends plain-text mails by SMTP, or writes each as an `.eml` file for development and tests. The same mail gives the
 * same bytes, Message-ID and file, so a repeat after a crash replaces the file and a mailbox can drop the duplicate.
 *
 * @throws MailError when the sender's address is not one
 */
export function createMailer({ smtpUrl, mailDir, from, timeoutMs = 10_000 }: MailerOptions) {
  const sender = addressOf(from);
  if (!ADDRESS.test(sender) || !PRINTABLE_ASCII.test(from)) throw invalid('the sender is not an address');
  const transport = smtpUrl
    ? createTransport({
        url: smtpUrl,
        connectionTimeout: timeoutMs,
        greetingTimeout: timeoutMs,
        socketTimeout: timeoutMs,
        disableFileAccess: true,
        disableUrlAccess: true,
      })
    : undefined;

  return {
    /**
     * Hands one mail over. It is sent when this resolves: accepted by the SMTP server, or on disk.
     *
     * @throws MailError `mail_invalid` and `smtp_rejected` (not retryable), `smtp_unavailable` and `mail_not_written`
     *   (retryable)
     */
    async send(mail: Mail): Promise<SentMail> {
      checkMail(mail);
      const messageId = messageIdOf(mail.id, sender);
      const message = composeMessage(mail, { from, messageId });
      if (!transport) return { messageId, file: writeMailFile(mailDir, mail, message) };
      try {
        await transport.sendMail({ envelope: { from: sender, to: mail.to }, raw: message });
      } catch (error) {
        throw smtpError(error as NodemailerError);
      }
      return { messageId };
    },

    /**
     * Connects to the SMTP server and logs in; without one it does nothing. @throws MailError `smtp_unavailable`
     */
    async check(): Promise<void> {
      try {
        await transport?.verify();
      } catch (error) {
        throw smtpError(error as NodemailerError);
      }
    },
  };
}

export type Mailer = ReturnType<typeof createMailer>;

/**
 * The message is composed here, since the library turns plain text with a line over 76 characters into
 * quoted-printable, and that breaks links and codes for whoever reads the file.
 */
function composeMessage(mail: Mail, { from, messageId }: { from: string; messageId: string }): string {
  const lines = [
    `From: ${from}`,
    `To: ${mail.to}`,
    `Subject: ${mail.subject}`,
    `Message-ID: ${messageId}`,
    `Date: ${mail.createdAt.toUTCString().replace('GMT', '+0000')}`,
    // RFC 3834: no vacation notice answers this.
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    'Content-Transfer-Encoding: 7bit',
    '',
    ...linesOf(mail.text),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** Letters only, so that no Message-ID holds six digits that could be taken for the code. */
function messageIdOf(id: string, sender: string): string {
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 40);
  const letters = digest.replaceAll(/[0-9a-f]/g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 16)));
  return `<${letters}@${sender.slice(sender.lastIndexOf('@') + 1)}>`;
}

function writeMailFile(mailDir: string, mail: Mail, message: string): string {
  const stamp = mail.createdAt.toISOString().replaceAll(/[-:]/g, '').replace('.', '');
  const file = join(mailDir, `${stamp}-${encodeURIComponent(mail.id)}.eml`);
  try {
    mkdirSync(mailDir, { recursive: true, mode: 0o700 });
    // An existing folder keeps its mode in mkdir, and mails hold codes.
    chmodSync(mailDir, 0o700);
    writePrivateFile(file, message);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new MailError('mail_not_written', `the mail could not be written to ${mailDir}: ${reason}`, {
      retryable: true,
    });
  }
  return file;
}

function checkMail({ id, to, subject, text, createdAt, code }: Mail): void {
  if (!/^[\x21-\x7e]{1,120}$/.test(id)) throw invalid('the id is empty, too long or not printable ASCII');
  if (!ADDRESS.test(to) || to.length > 254) throw invalid('the recipient is not one plain address');
  if (!PRINTABLE_ASCII.test(subject) || subject.length > 200) throw invalid('the subject is not one line of ASCII');
  if (Number.isNaN(createdAt.getTime())) throw invalid('the time is not valid');
  for (const line of linesOf(text)) {
    if (!PRINTABLE_ASCII.test(line) || line.length > MAX_LINE) throw invalid('the text is not 7-bit text');
  }
  const numbers = text.match(/\d{6,}/g) ?? [];
  if (code !== undefined && (numbers.length !== 1 || numbers[0] !== code)) {
    throw invalid('the code is not the only six-digit number in the text');
  }
}

function linesOf(text: string): string[] {
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

function addressOf(from: string): string {
  return /<([^<>]+)>$/.exec(from)?.[1] ?? from;
}

/** The server's own words stay out: they may repeat the recipient, or on a bad log-in the user's name. */
function smtpError(error: NodemailerError): MailError {
  const reply = error.responseCode === undefined ? (error.code ?? 'no reply') : `reply ${error.responseCode}`;
  // A refused log-in is permanent to SMTP, but the operator mends it and the mail itself is fine.
  if (error.permanent && error.code !== 'EAUTH') {
    return new MailError('smtp_rejected', `the SMTP server refused the mail: ${reply}`, { retryable: false });
  }
  return new MailError('smtp_unavailable', `the SMTP server did not take the mail: ${reply}`, { retryable: true });
}

function invalid(why: string): MailError {
  return new MailError('mail_invalid', why, { retryable: false });
}
