import { type CheckpointHealth, checkpointHealth } from '../db/audit-checkpoints.ts';
import { sealingBacklog } from '../db/audit-seal.ts';
import { createOrm } from '../db/orm.ts';
import { oneRow } from '../db/sql.ts';
import { BACKUP_OVERDUE_MS } from '../domain/backup.ts';
import type { Config } from '../platform/config.ts';
import { attempt, type Finding, fail, finding, type Outcome, ok, warn } from './doctor-finding.ts';

const TIMEOUT_MS = 5_000;
const SEALER_LATE_SECONDS = 30;
const MAIL_LATE_SECONDS = 60;
/** They run weekly and hourly; so much later somebody should look. */
const DRILL_OVERDUE_HOURS = 8 * 24;
const VERIFICATION_OVERDUE_HOURS = 3;
const FULL_VERIFICATION_OVERDUE_HOURS = 27;
const CHECKPOINT_OVERDUE_HOURS = 2;

interface Ages {
  admins: number;
  waiting_seconds: number;
  failed_letters: number;
  backup_hours: number | null;
  drill_hours: number | null;
  /** Since the log was verified to its end, and since all of it was. */
  verification_hours: number | null;
  full_verification_hours: number | null;
  broken_log: boolean;
  critical: number;
}

type State = Ages & { checkpoints: CheckpointHealth; unsealedSeconds: number };

/** What the database and the API of a running installation say about it. */
export async function examineRunning(config: Config, production: boolean): Promise<Finding[]> {
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 2, applicationName: 'tradeguard-doctor' });
  const findings: Finding[] = [];
  try {
    let ages: State | undefined;
    const read = await attempt(async () => {
      const tx = db.fork();
      const { oldestSeconds: unsealedSeconds } = await sealingBacklog(tx, '1 day');
      ages = { ...(await oneRow<Ages>(tx, AGES)), checkpoints: await checkpointHealth(tx), unsealedSeconds };
      return ok('');
    }, 'Bring the schema up to date: `tradeguard migrate`.');
    if (ages === undefined) findings.push(finding('running-state', 'at', 'The installation can be read', read));
    else findings.push(...stateOf(ages, config, production));
  } finally {
    await db.close();
  }
  findings.push(finding('api', 'at', 'An API process of this machine is ready', await apiOf(config)));
  if (production) {
    const way = await attempt(() => wayInOf(config.publicOrigin), 'Check the name, the proxy and its certificate.');
    findings.push(finding('way-in', 'after', 'Customers get in over TLS', way));
  }
  return findings;
}

const AGES = `
  with hours as (select 3600.0 as h)
  select (select count(*)::int from app_user where role = 'admin' and disabled_at is null) as admins,
         (select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8
            from outbox_mail where sent_at is null and failed_at is null) as waiting_seconds,
         (select count(*)::int from outbox_mail where failed_at > clock_timestamp() - interval '7 days') as failed_letters,
         (select (extract(epoch from clock_timestamp() - max(snapshot_at)) / h)::float8 from backup_run
           where status = 'succeeded' and deleted_at is null) as backup_hours,
         (select (extract(epoch from clock_timestamp() - max(finished_at)) / h)::float8 from restore_drill
           where status = 'succeeded') as drill_hours,
         (select (extract(epoch from clock_timestamp() - max(finished_at)) / h)::float8 from audit_verification
           where status = 'valid' and mode <> 'range') as verification_hours,
         (select (extract(epoch from clock_timestamp() - max(finished_at)) / h)::float8 from audit_verification
           where status = 'valid' and mode = 'full') as full_verification_hours,
         (select exists (select from audit_verification i where i.status = 'invalid'
           and not exists (select from audit_verification v where v.status = 'valid' and v.mode <> 'range'
             and coalesce(v.started_at, v.requested_at) > i.finished_at))) as broken_log,
         (select count(*)::int from incident where severity = 'critical' and status <> 'resolved') as critical
    from hours`;

function stateOf(ages: State, config: Config, production: boolean): Finding[] {
  const { backupUrl, drillUrl } = config;
  const admin = ages.admins > 0 ? ok(`${ages.admins}`) : fail('None', '`tradeguard admin create <email>`');
  const sealed =
    ages.unsealedSeconds > SEALER_LATE_SECONDS
      ? fail(`An entry waits for ${Math.round(ages.unsealedSeconds)} s`, 'See that a worker runs, and its log.')
      : ok('Nothing waits');
  const open =
    ages.critical > 0
      ? fail(
          `${ages.critical} critical and unresolved`,
          'Follow docs/INCIDENT_RESPONSE.md: GET /api/admin/security/incidents.',
        )
      : ok('No critical one is open');
  return [
    finding('administrator', 'at', 'There is an administrator', admin),
    finding('sealer', 'after', 'The audit log is sealed as it grows', sealed),
    finding('audit-verification', 'after', 'The audit log was verified lately', verificationOf(ages)),
    finding(
      'checkpoints',
      'after',
      'The audit log is witnessed outside the database',
      checkpointsOf(ages.checkpoints, config, production),
    ),
    finding('letters', 'after', 'No letter is stuck', lettersOf(ages)),
    finding('incidents', 'after', 'Incidents are worked on', open),
    ...(backupUrl === undefined && !production
      ? []
      : [finding('backup', 'after', 'There is a fresh backup', backupOf(ages))]),
    ...(drillUrl === undefined && !production
      ? []
      : [finding('restore-drill', 'after', 'A backup was restored lately', restoreOf(ages))]),
  ];
}

function verificationOf({
  broken_log: isBroken,
  verification_hours: hours,
  full_verification_hours: fullHours,
}: Ages): Outcome {
  if (isBroken)
    return fail(
      'The last verification found it changed',
      'Stop changes, and follow "Audit violation" in docs/INCIDENT_RESPONSE.md.',
    );
  if (hours === null) return warn('Never', 'It runs every hour; now: `tradeguard audit verify`.');
  if (hours > VERIFICATION_OVERDUE_HOURS)
    return warn(`${hours.toFixed(1)} hours ago`, 'It runs every hour: see the schedule and the worker.');
  if (fullHours === null || fullHours > FULL_VERIFICATION_OVERDUE_HOURS) {
    const ago = fullHours === null ? 'never' : `${fullHours.toFixed(1)} hours ago`;
    return warn(`The whole log: ${ago}`, 'It is verified once a day: see the worker; now: `tradeguard audit verify`.');
  }
  return ok(`${hours.toFixed(1)} hours ago`);
}

function checkpointsOf(
  { ageSeconds, waitingSeconds, failures }: CheckpointHealth,
  { checkpoints: { bucket, witness } }: Config,
  production: boolean,
): Outcome {
  const hours = (seconds: number) => `${(seconds / 3_600).toFixed(1)} hours`;
  const advice = 'It runs every hour; now: `tradeguard audit checkpoint`.';
  if (waitingSeconds > CHECKPOINT_OVERDUE_HOURS * 3_600) {
    return fail(`An entry waits for its checkpoint for ${hours(waitingSeconds)}`, advice);
  }
  if (ageSeconds === null) return warn('No checkpoint was published yet', advice);
  const detail = `The last checkpoint is ${hours(ageSeconds)} old`;
  if (failures > 0)
    return warn(`${detail}, and incomplete`, 'See places and witness: GET /api/admin/security/audit-logs/checkpoints.');
  if (production && bucket === undefined && witness === undefined)
    return warn(
      `${detail}, in a folder alone`,
      'Who rules this machine can change both: set AUDIT_CHECKPOINT_S3_ENDPOINT or AUDIT_WITNESS_URL.',
    );
  return ok(detail);
}

function lettersOf({ waiting_seconds: waiting, failed_letters: failed }: Ages): Outcome {
  if (waiting > MAIL_LATE_SECONDS)
    return fail(`One waits for ${Math.round(waiting)} s`, 'Check SMTP_URL and the log of the worker.');
  return failed > 0
    ? warn(
        `${failed} could not be delivered within 7 days`,
        'Look them up in the log of the worker: an address may be wrong.',
      )
    : ok('Nothing waits');
}

function backupOf({ backup_hours: hours }: Ages): Outcome {
  const advice = 'It runs every night; now: `tradeguard backup create`.';
  if (hours === null) return fail('None', advice);
  const detail = `${hours.toFixed(1)} hours old`;
  return hours * 3_600_000 > BACKUP_OVERDUE_MS ? fail(detail, advice) : ok(detail);
}

function restoreOf({ drill_hours: hours }: Ages): Outcome {
  const advice = 'It runs every Sunday; now: `tradeguard backup drill`.';
  if (hours === null) return warn('Never', advice);
  const detail = `${(hours / 24).toFixed(1)} days ago`;
  return hours > DRILL_OVERDUE_HOURS ? warn(detail, advice) : ok(detail);
}

/** Asks as a trusted proxy on this machine would. */
async function apiOf({ host, port }: Config): Promise<Outcome> {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}/api/health/ready`;
  const before = Date.now();
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { 'X-Forwarded-Proto': 'https' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return warn(`${url} does not answer`, 'Start one here, `tradeguard api`, or run this where one runs.');
  }
  if (response.status === 301)
    return warn(
      `${url} sends to https`,
      'Add loopback to TRUSTED_PROXIES, so that health can be asked on this machine.',
    );
  if (response.status !== 200)
    return fail(`${url} answers ${response.status}`, 'See /api/health: database, Temporal or every worker is away.');
  const told = Date.parse(response.headers.get('date') ?? '');
  const skew = Math.max(before - 1_000 - told, told - Date.now(), 0);
  if (skew > 2_000)
    return warn(`Ready; its clock is ${Math.round(skew / 1000)} s apart`, 'Keep every machine on the same time.');
  return ok(`${url} is ready`);
}

async function wayInOf(origin: string): Promise<Outcome> {
  const limits = { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) } as const;
  const secure = await fetch(`${origin}/api/health/live`, limits);
  if (secure.status !== 200)
    return fail(
      `${origin} answers ${secure.status}`,
      'See that the proxy is in TRUSTED_PROXIES and sends X-Forwarded-Proto.',
    );
  if (!secure.headers.has('strict-transport-security'))
    return fail(`${origin} sends no Strict-Transport-Security`, 'See that NODE_ENV=production reaches the API.');
  const plain = new URL(origin);
  plain.protocol = 'http:';
  const answer = await fetch(new URL('/api/health/live', plain), limits).catch(() => undefined);
  if (answer !== undefined && !(answer.status === 301 || answer.status === 308))
    return fail(
      `${plain.origin} answers ${answer.status}`,
      'Plain HTTP has to be sent to https, or not to be answered.',
    );
  return ok(`${origin}: certificate, HSTS, plain HTTP ${answer === undefined ? 'closed' : 'sent to https'}`);
}
