import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AuditLog } from '../db/audit.ts';
import type { Database } from '../db/orm.ts';
import type { Outbox } from '../db/outbox.ts';
import { row, rows, run } from '../db/sql.ts';
import { MailError, type Mailer } from '../platform/mailer.ts';

export interface MailDeliveryDeps {
  db: Database;
  outbox: Outbox;
  mailer: Pick<Mailer, 'send'>;
  audit: AuditLog;
  log: Logger;
}

/** `delayed`: not now, the dispatcher goes on trying; `failed`: given up; `unknown`: there is no such letter. */
export type DeliveryStatus = 'sent' | 'delayed' | 'failed' | 'unknown';

/** A claim outlives every timeout of one attempt to send, so that no second process sends meanwhile. */
const CLAIM_SECONDS = 60;
/** How long a caller waits for another process that is sending the same letter. */
const WAIT_FOR_OTHER_MS = 3_000;
const POLL_MS = 25;
const FIRST_RETRY_SECONDS = 2;
const LAST_RETRY_SECONDS = 300;
const GIVE_UP_AFTER_HOURS = 24;

interface Claim {
  id: string;
  recipient: string;
  template: string;
  subject: string;
  body: string;
  created_at: string;
  attempts: number;
}

/**
 * Takes letters from the outbox to the mailer. A letter is claimed in one statement, sent without a database connection,
 * then marked: a crash between sending and marking gives one duplicate with the same Message-ID, never a lost letter.
 */
export function createMailDelivery({ db, outbox, mailer, audit, log }: MailDeliveryDeps) {
  async function claim(mailId: string): Promise<Claim | undefined> {
    return row<Claim>(
      db.fork(),
      `update outbox_mail set claimed_until = clock_timestamp() + make_interval(secs => $2), attempts = attempts + 1
        where id = $1 and sent_at is null and failed_at is null
          and (claimed_until is null or claimed_until < clock_timestamp())
        returning id, recipient, template, subject, body, created_at, attempts`,
      [mailId, CLAIM_SECONDS],
    );
  }

  async function sendClaimed(mail: Claim): Promise<DeliveryStatus> {
    try {
      await mailer.send({
        id: mail.id,
        to: mail.recipient,
        subject: mail.subject,
        text: outbox.open(mail),
        createdAt: new Date(mail.created_at),
      });
    } catch (error) {
      return recordFailure(mail, error);
    }
    await run(
      db.fork(),
      'update outbox_mail set sent_at = clock_timestamp(), body = null, claimed_until = null, last_error = null where id = $1',
      [mail.id],
    );
    return 'sent';
  }

  async function recordFailure(mail: Claim, error: unknown): Promise<DeliveryStatus> {
    // Whatever is not the mailer's own (a letter that does not decrypt) gets no better by repeating.
    const retryable = error instanceof MailError && error.retryable;
    const reason = error instanceof MailError ? error.code : 'mail_unreadable';
    const wait = Math.min(FIRST_RETRY_SECONDS * 2 ** (mail.attempts - 1), LAST_RETRY_SECONDS);
    log.warn({ mailId: mail.id, template: mail.template, reason, attempts: mail.attempts }, 'letter not sent');
    return db.transaction(async (tx) => {
      const updated = await row<{ failed: boolean }>(
        tx,
        `update outbox_mail set claimed_until = null, last_error = $2,
                next_attempt_at = clock_timestamp() + make_interval(secs => $3),
                failed_at = case when $4 or created_at < clock_timestamp() - make_interval(hours => $5)
                                 then clock_timestamp() end
          where id = $1 and sent_at is null returning failed_at is not null as failed`,
        [mail.id, reason, wait, !retryable, GIVE_UP_AFTER_HOURS],
      );
      if (updated?.failed !== true) return 'delayed';
      await audit.append(tx, {
        action: 'mail.failed',
        actor: { kind: 'system' },
        subject: { kind: 'mail', id: mail.id },
        outcome: 'failure',
        details: { template: mail.template, reason, attempts: mail.attempts },
      });
      return 'failed';
    });
  }

  async function stateOf(mailId: string): Promise<DeliveryStatus> {
    const found = await row<{ sent: boolean; failed: boolean }>(
      db.fork(),
      'select sent_at is not null as sent, failed_at is not null as failed from outbox_mail where id = $1',
      [mailId],
    );
    if (found === undefined) return 'unknown';
    return found.sent ? 'sent' : found.failed ? 'failed' : 'delayed';
  }

  return {
    /**
     * Sends one letter now, whatever its back-off says, or waits a moment for the process that is sending it. Repeats
     * are harmless. @returns what became of it; a mail server that is down is an answer, not an error
     */
    async deliver(mailId: string): Promise<DeliveryStatus> {
      const deadline = Date.now() + WAIT_FOR_OTHER_MS;
      for (;;) {
        const claimed = await claim(mailId);
        if (claimed !== undefined) return sendClaimed(claimed);
        const state = await stateOf(mailId);
        if (state !== 'delayed' || Date.now() >= deadline) return state;
        await sleep(POLL_MS);
      }
    },

    /** Sends letters that are due, several at once. @returns how many were due */
    async deliverDue(limit: number): Promise<number> {
      const due = await rows<{ id: string }>(
        db.fork(),
        `select id from outbox_mail
          where sent_at is null and failed_at is null and next_attempt_at <= clock_timestamp()
            and (claimed_until is null or claimed_until < clock_timestamp())
          order by next_attempt_at limit $1`,
        [limit],
      );
      await Promise.all(
        due.map(async ({ id }) => {
          const claimed = await claim(id);
          if (claimed !== undefined) await sendClaimed(claimed);
        }),
      );
      return due.length;
    },
  };
}

export type MailDelivery = ReturnType<typeof createMailDelivery>;
