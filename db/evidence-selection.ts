import type { ClientBase } from 'pg';
import type { IncidentStatus, Severity } from '../domain/incident.ts';

/** An incident as its evidence names it: ids, no personal data, nothing that somebody typed. Times are RFC 3339 in UTC with microseconds. */
export interface IncidentOfEvidence {
  id: string;
  cause: string;
  severity: Severity;
  status: IncidentStatus;
  subject: { kind: string; id: string };
  userId: string | null;
  openedAt: string;
  resolvedAt: string | null;
}

/** Which entries belong to an incident. It is part of the manifest: who reads the bundle knows what was looked for. */
export interface EvidenceTerms {
  incident: IncidentOfEvidence;
  /** From this time on, up to the other, exclusive; the incident's own entries whenever they were written. */
  from: string;
  to: string;
  windowHours: number;
  /** Entries about these. */
  subjects: string[];
  /** Entries by these. */
  actors: string[];
  /** Entries that these workflows wrote, beside those that wrote one of the entries above. */
  workflows: string[];
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const MICROSECONDS = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
const text = (expression: string) => `to_char((${expression}) at time zone 'UTC', '${MICROSECONDS}')`;

/**
 * What belongs to an incident: its subject and its user, what its timeline names, and the workflows that its timeline's keys
 * name, from some hours before it was first seen until a minute after it was resolved, or now. The minute is for the
 * clocks: an entry has the time of the process that wrote it, the incident that of the database.
 *
 * @returns undefined where there is no such incident
 */
export async function evidenceTerms(
  client: ClientBase,
  incidentId: string,
  windowHours: number,
): Promise<EvidenceTerms | undefined> {
  const { rows: found } = await client.query<{
    cause: string;
    severity: Severity;
    status: IncidentStatus;
    subject_kind: string;
    subject_id: string;
    user_id: string | null;
    opened_at: string;
    resolved_at: string | null;
    begins: string;
    ends: string;
    timeline: string | null;
    keys: string[] | null;
  }>(
    `select i.cause, i.severity, i.status, i.subject_kind, i.subject_id, i.user_id, ${text('i.opened_at')} as opened_at,
            ${text('i.resolved_at')} as resolved_at, ${text('least(i.opened_at, e.first) - make_interval(hours => $2)')} as begins,
            ${text(`coalesce(i.resolved_at, clock_timestamp()) + interval '1 minute'`)} as ends, e.timeline, e.keys
       from incident i cross join lateral (
         select min(at) as first, string_agg(key || ' ' || details, ' ') filter (where kind in ('opened', 'evidence')) as timeline,
                array_agg(key) as keys
           from incident_event where incident_id = i.id) e
      where i.id = $1`,
    [incidentId, windowHours],
  );
  const [incident] = found;
  if (incident === undefined) return undefined;
  const { subject_kind: kind, subject_id: id, user_id: userId } = incident;
  const named = incident.timeline?.match(UUID) ?? [];
  const actors = [kind === 'user' ? id : null, userId].filter((actor) => actor !== null);
  return {
    incident: {
      ...{ id: incidentId, cause: incident.cause, severity: incident.severity, status: incident.status },
      ...{ subject: { kind, id }, userId, openedAt: incident.opened_at, resolvedAt: incident.resolved_at },
    },
    ...{ from: incident.begins, to: incident.ends, windowHours },
    subjects: sorted([incidentId, id, ...actors, ...named]),
    actors: sorted(actors),
    workflows: sorted([`incident:${incidentId}`, `${kind}:${id}`, ...(incident.keys ?? []).flatMap(workflowOf)]),
  };
}

/** Keys of a timeline are `{workflowId}` or `{workflowId}:{step}`, and a workflow's id is `{kind}:{uuid}`. */
function workflowOf(key: string): string[] {
  const match = /^[a-z-]+:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(key);
  return match === null ? [] : [match[0]];
}

const sorted = (ids: readonly string[]) => [...new Set(ids)].sort();

export interface SelectedEntries {
  /** All that belong to the incident. */
  found: number;
  /** Those of them that were taken: the incident's own first, then the nearest to its opening. */
  ids: string[];
}

/**
 * Finds the entries. Those about and by somebody are found by their indexes; those of the same requests and workflows
 * are looked for among all entries of the window, by their text, which says it in one place each: a text within has its
 * quotes escaped.
 *
 * @throws errors of the connection
 */
export async function selectEntries(
  client: ClientBase,
  { incident, subjects, actors, workflows, from, to }: EvidenceTerms,
  limit: number,
): Promise<SelectedEntries> {
  const { rows } = await client.query<{ id: string; found: string }>(SELECT, [
    ...[incident.id, subjects, actors, from, to, workflows, incident.openedAt, limit],
  ]);
  return { found: Number(rows[0]?.found ?? 0), ids: rows.map(({ id }) => id) };
}

/** Both members have their places in the canonical text; an entry that is no JSON any more is looked at all the same. */
const WORKFLOW = `substring(e.entry from '"workflowId":"([^"]*)"}$')`;
const REQUEST = `substring(e.entry from '"outcome":"[a-z]*","requestId":"([^"]*)"')`;

const SELECT = `
  with about as materialized (
    select e.id, e.at, e.entry, true as own from audit_entry e where e.subject = $1
    union all
    select e.id, e.at, e.entry, false from audit_entry e
     where e.subject = any($2::text[]) and e.subject <> $1 and e.at >= $4::timestamptz and e.at < $5::timestamptz
    union all
    select e.id, e.at, e.entry, false from audit_entry e
     where e.actor = any($3::text[]) and (e.subject is null or e.subject <> all($2::text[]))
       and e.at >= $4::timestamptz and e.at < $5::timestamptz),
  workflows as materialized (select unnest($6::text[]) as id union select ${WORKFLOW} from about e),
  requests as materialized (select distinct ${REQUEST} as id from about e),
  beside as (
    select e.id, e.at from audit_entry e
     where e.at >= $4::timestamptz and e.at < $5::timestamptz
       and (${WORKFLOW} in (select id from workflows where id is not null)
         or ${REQUEST} in (select id from requests where id is not null))
       and e.id not in (select id from about))
  select id, count(*) over () as found
    from (select id, at, own from about union all select id, at, false from beside) as selected
   order by own desc, abs(extract(epoch from at - $7::timestamptz)), id limit $8`;

/** The places of entries in the chain, ascending; and those that have none yet. */
export async function placesOf(
  client: ClientBase,
  ids: readonly string[],
): Promise<{ seqs: number[]; open: string[] }> {
  const { rows } = await client.query<{ id: string; seq: string | null }>(
    `select e.id, s.seq from unnest($1::uuid[]) as e (id) left join audit_seal s on s.entry_id = e.id order by s.seq`,
    [ids],
  );
  return {
    seqs: rows.flatMap(({ seq }) => (seq === null ? [] : Number(seq))),
    open: rows.flatMap(({ id, seq }) => (seq === null ? id : [])),
  };
}

/** First and last sealed entry of a time, by the time that entries say; null where there is none. */
export async function sealedWithin(
  client: ClientBase,
  { from, to }: Pick<EvidenceTerms, 'from' | 'to'>,
): Promise<{ first: number; last: number } | null> {
  const { rows } = await client.query<{ first: string | null; last: string | null }>(
    `select (select s.seq from audit_entry e join audit_seal s on s.entry_id = e.id
              where e.at >= $1::timestamptz and e.at < $2::timestamptz order by e.at, e.id limit 1) as first,
            (select s.seq from audit_entry e join audit_seal s on s.entry_id = e.id
              where e.at >= $1::timestamptz and e.at < $2::timestamptz order by e.at desc, e.id desc limit 1) as last`,
    [from, to],
  );
  const [{ first, last } = { first: null, last: null }] = rows;
  return first === null || last === null ? null : { first: Number(first), last: Number(last) };
}

/** Entries that are not sealed, in the order of their ids. */
export async function openEntries(
  client: ClientBase,
  ids: readonly string[],
): Promise<{ id: string; entry: string; entry_hmac: Buffer }[]> {
  const { rows } = await client.query<{ id: string; entry: string; entry_hmac: Buffer }>(
    'select id, entry, entry_hmac from audit_entry where id = any($1::uuid[]) order by id',
    [ids],
  );
  return rows;
}
