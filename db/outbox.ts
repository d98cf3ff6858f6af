import { decryptField, encryptField } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import { uuidV7 } from '../security/uuid.ts';
import { row, type Tx } from './sql.ts';

/** A letter to one person. The text may hold a code or a link, so it is encrypted while it waits. */
export interface Letter {
  /** Business key: the same key is one letter, however often it is asked for. */
  key: string;
  userId: string | null;
  to: string;
  /** Names the occasion, for operators. */
  template: string;
  subject: string;
  text: string;
}

/**
 * E-mail as rows, written in the transaction that made it necessary: a letter exists exactly when its cause does. The
 * mail activity delivers them.
 */
export function createOutbox({ keyring }: { keyring: Keyring }) {
  const field = (id: string) => ({ table: 'outbox_mail', column: 'body', rowId: id });

  return {
    /** Queues a letter in the caller's transaction. @returns its id; the id of the first one when the key repeats. */
    async enqueue(tx: Tx, letter: Letter): Promise<string> {
      const id = uuidV7();
      const inserted = await row<{ id: string }>(
        tx,
        `insert into outbox_mail (id, key, user_id, recipient, template, subject, body)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (key) do nothing returning id`,
        [
          id,
          letter.key,
          letter.userId,
          letter.to,
          letter.template,
          letter.subject,
          encryptField(keyring, letter.text, field(id)),
        ],
      );
      if (inserted !== undefined) return inserted.id;
      const earlier = await row<{ id: string }>(tx, 'select id from outbox_mail where key = $1', [letter.key]);
      if (earlier === undefined) throw new Error('a letter vanished while its key was read');
      return earlier.id;
    },

    /** The text of a stored letter. @throws FieldDecryptionError when the row was tampered with */
    open(mail: { id: string; body: string }): string {
      return decryptField(keyring, mail.body, field(mail.id));
    },
  };
}

export type Outbox = ReturnType<typeof createOutbox>;
