import type { AuditLog } from '../db/audit.ts';
import { openIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import { row, type Tx } from '../db/sql.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { Refusal } from './checkpoint-publisher.ts';

const SUBJECT = 'audit-checkpoint';

/**
 * Opens the critical incident of a log that does not go together with what was published of it. While it is unresolved the
 * same finding adds nothing; another one adds its evidence.
 *
 * @param occasion business key of the run: a repeat gets the same answer
 */
export function reportRefusal(
  tx: Tx,
  { audit }: { audit: AuditLog },
  { reason, name, place, publishedSize, size }: Refusal,
  occasion: string,
): Promise<FollowUps['incidents']> {
  return once(tx, `${occasion}:checkpoint-refused`, async () => {
    const known = await row(
      tx,
      `select e.key from incident i join incident_event e on e.incident_id = i.id
        where i.cause = 'audit_failure' and i.subject_kind = 'system' and i.subject_id = $1 and i.status <> 'resolved'
          and e.details ->> 'reason' = $2 and e.details ->> 'name' = $3 limit 1`,
      [SUBJECT, reason, name],
    );
    if (known !== undefined) return [];
    await audit.append(tx, {
      action: 'audit.checkpoint_refused',
      actor: { kind: 'system' },
      subject: { kind: 'audit_log', id: SUBJECT },
      outcome: 'failure',
      details: { reason, name, place, publishedSize, size },
    });
    const { incidentId, opened, raised, severity } = await openIncident(
      tx,
      { audit },
      {
        cause: 'audit_failure',
        subjectKind: 'system',
        subjectId: SUBJECT,
        userId: null,
        title: `The audit log and a published checkpoint do not go together: ${reason}`,
        details: { reason, name, place, publishedSize, size },
        key: `${occasion}:${reason}`,
      },
    );
    return opened || raised ? [{ incidentId, severity }] : [];
  });
}
