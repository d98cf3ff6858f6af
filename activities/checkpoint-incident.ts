import type { AuditLog } from '../db/audit.ts';
import { openIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import { row, type Tx } from '../db/sql.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { Damage, Refusal } from './checkpoint-publisher.ts';

const SUBJECT = 'audit-checkpoint';

/**
 * Opens the critical incident of a log that does not go together with what was published of it, or of which nothing can
 * be published. While it is unresolved the
 * same finding adds nothing; another one adds its evidence.
 *
 * @param occasion business key of the run: a repeat gets the same answer
 */
export function reportRefusal(
  tx: Tx,
  { audit }: { audit: AuditLog },
  refusal: Refusal | Damage,
  occasion: string,
): Promise<FollowUps['incidents']> {
  const { reason, name, place, publishedSize, size } = refusal;
  const details = {
    reason,
    name,
    place,
    publishedSize,
    size,
    ...('detail' in refusal ? { detail: refusal.detail } : {}),
  };
  return once(tx, `${occasion}:checkpoint-refused`, async () => {
    const known = await row(
      tx,
      `select e.key from incident i join incident_event e on e.incident_id = i.id
        where i.cause = 'audit_failure' and i.subject_kind = 'system' and i.subject_id = $1 and i.status <> 'resolved'
          and e.details ->> 'reason' = $2 and e.details ->> 'name' is not distinct from $3 limit 1`,
      [SUBJECT, reason, name],
    );
    if (known !== undefined) return [];
    await audit.append(tx, {
      action: 'audit.checkpoint_refused',
      actor: { kind: 'system' },
      subject: { kind: 'audit_log', id: SUBJECT },
      outcome: 'failure',
      details,
    });
    const { incidentId, opened, raised, severity } = await openIncident(
      tx,
      { audit },
      {
        cause: 'audit_failure',
        subjectKind: 'system',
        subjectId: SUBJECT,
        userId: null,
        title:
          'detail' in refusal
            ? `No checkpoint can be made: ${refusal.detail}`
            : `The audit log and a published checkpoint do not go together: ${reason}`,
        details,
        key: `${occasion}:${reason}`,
      },
    );
    return opened || raised ? [{ incidentId, severity }] : [];
  });
}
