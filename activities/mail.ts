import type { ActivityDeps } from './deps.ts';
import { createMailDelivery, type DeliveryStatus } from './mail-delivery.ts';

/** Letters that must be on their way before somebody is answered. All others are sent by the outbox dispatcher. */
export function createMailActivities(deps: ActivityDeps) {
  const delivery = createMailDelivery(deps);
  return {
    /**
     * Delivers one letter of the outbox. Idempotent. A mail server that does not answer gives `delayed`: the letter stays
     * in the outbox, where the dispatcher tries again for a day.
     */
    deliverMail: (mailId: string): Promise<DeliveryStatus> => delivery.deliver(mailId),
  };
}
