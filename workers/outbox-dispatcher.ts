import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { MailDelivery } from '../activities/mail-delivery.ts';
import { persist } from '../platform/persist.ts';

export interface OutboxDispatcherDeps {
  delivery: Pick<MailDelivery, 'deliverDue'>;
  log: Logger;
}

const POLL_MS = 250;
const BATCH = 4;

/** Sends the letters that nobody waits for, within a second of their commit. Any number of processes may run one. */
export function createOutboxDispatcher({ delivery, log }: OutboxDispatcherDeps) {
  return {
    /** Runs until `signal` aborts; a database that is down is waited for. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const due = await persist(() => delivery.deliverDue(BATCH), { name: 'outbox', log, signal });
        // A full batch says that more is waiting.
        if ((due ?? 0) < BATCH) await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      }
    },
  };
}
