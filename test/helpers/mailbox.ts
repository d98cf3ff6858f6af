import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

export interface ReceivedMail {
  file: string;
  to: string;
  subject: string;
  messageId: string;
  text: string;
}

/** Reads the `.eml` files of a folder, oldest first. */
export function createMailbox(folder: string) {
  function all(): ReceivedMail[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith('.eml'))
      .sort()
      .map((file) => parse(file, readFileSync(join(folder, file), 'utf8')));
  }
  const to = (email: string) => all().filter((mail) => mail.to.toLowerCase() === email.toLowerCase());

  return {
    all,
    /** Letters to one address, oldest first. */
    to,
    /** Codes mailed to one address, oldest first. */
    codesFor: (email: string): string[] =>
      to(email).flatMap((mail) => /(?<![\w-])\d{6}(?![\w-])/.exec(mail.text)?.[0] ?? []),
    /** Waits for the letter that makes `count` letters to this address, and returns it. */
    waitFor: (email: string, { subject, count = 1 }: { subject?: RegExp; count?: number } = {}) =>
      eventually(() => to(email).filter((mail) => subject?.test(mail.subject) ?? true)[count - 1], {
        what: `letter ${count} to ${email}`,
      }),
  };
}

export type Mailbox = ReturnType<typeof createMailbox>;

function parse(file: string, raw: string): ReceivedMail {
  const border = raw.indexOf('\r\n\r\n');
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(raw.slice(0, border))?.[1]?.trim() ?? '';
  return {
    file,
    to: header('To'),
    subject: header('Subject'),
    messageId: header('Message-ID'),
    text: raw.slice(border + 4),
  };
}
