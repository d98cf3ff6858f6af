import { defineEntity, p } from '@mikro-orm/core';
import type { IncidentStatus, Severity } from '../../domain/incident.ts';

/** Something that people must look at: one unresolved per cause and subject, with a timeline. */
const IncidentSchema = defineEntity({
  name: 'Incident',
  tableName: 'incident',
  properties: {
    id: p.uuid().primary(),
    cause: p.text(),
    subjectKind: p.text().$type<'user' | 'login_subject' | 'transaction' | 'system'>(),
    subjectId: p.text(),
    userId: p.uuid().nullable(),
    severity: p.text().$type<Severity>(),
    status: p.text().$type<IncidentStatus>(),
    title: p.text(),
    openedAt: p.datetime().defaultRaw('clock_timestamp()'),
    assignedTo: p.uuid().nullable(),
    escalations: p.integer().default(0),
    resolvedAt: p.datetime().nullable(),
    resolvedBy: p.uuid().nullable(),
    resolution: p.text().nullable(),
  },
});

export class Incident extends IncidentSchema.class {}
IncidentSchema.setClass(Incident);

const IncidentEventSchema = defineEntity({
  name: 'IncidentEvent',
  tableName: 'incident_event',
  properties: {
    id: p.bigint().primary(),
    incidentId: p.uuid(),
    key: p.text(),
    kind: p.text(),
    actor: p.text(),
    details: p.json<Record<string, unknown>>(),
    at: p.datetime().defaultRaw('clock_timestamp()'),
  },
});

export class IncidentEvent extends IncidentEventSchema.class {}
IncidentEventSchema.setClass(IncidentEvent);
