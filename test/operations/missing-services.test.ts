import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { oneRow, row } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { freePort } from '../../platform/ports.ts';
import { eventually } from '../helpers/eventually.ts';
import { type ApiMember, createFleet, type Fleet } from '../helpers/fleet.ts';
import { createPeople, HOME_DEVICE, type People } from '../helpers/people.ts';

interface Feature {
  name: string;
  state: string;
  why: string | null;
}

/** Processes of production with this environment, and what they say of their features. */
async function started(env: Parameters<typeof createFleet>[0]['env']) {
  const fleet = await createFleet({ apis: 1, workers: 1, ...(env === undefined ? {} : { env }) });
  const [member] = fleet.apis as [ApiMember];
  const config = loadConfig(fleet.env);
  const { db } = fleet.database;
  const people = createPeople({ api: member.api, db, keyring: await openKeyring(db, config), config });
  const health = await eventually(
    async () => {
      const answer = await member.api.get('/api/health');
      const isTold = (answer.body.features as Feature[]).every(({ why }) => !why?.startsWith('no worker'));
      return answer.status === 200 && isTold && answer;
    },
    { what: 'the worker telling' },
  );
  const features = new Map((health.body.features as Feature[]).map((feature) => [feature.name, feature]));
  return { fleet, api: member.api, people, health, features };
}

const CODE = /(?<![\w-])\d{6}(?![\w-])/;
const log = (fleet: Fleet) => [...fleet.apis, ...fleet.workers].map((member) => member.output()).join('\n');
/** The one line in which a process says that it cannot do something. */
const linesAbout = (fleet: Fleet, feature: string) =>
  log(fleet)
    .split('\n')
    .filter((line) => line.includes('feature is missing') && line.includes(`"feature":"${feature}"`))
    .map((line) => JSON.parse(line));

describe('pg_dump, the GeoIP file and the mail server are configured and not there', () => {
  let given: Awaited<ReturnType<typeof started>>;
  let people: People;
  let mailPort: number;

  beforeAll(async () => {
    const empty = join(inject('servers').folder, `no-tools-${randomUUID()}`);
    mkdirSync(empty);
    mailPort = await freePort();
    given = await started(({ ownerUrl }) => ({
      DATABASE_BACKUP_URL: ownerUrl,
      DATABASE_DRILL_URL: ownerUrl,
      BACKUP_TOOLS_DIR: empty,
      GEOIP_DATABASE: join(empty, 'places.mmdb'),
      SMTP_URL: `smtp://mailer:mail-password-nobody-may-see@127.0.0.1:${mailPort}`,
      REGISTRATION_CONFIRM: '0',
    }));
    people = given.people;
  }, 180_000);
  afterAll(() => given?.fleet.stop());

  it('the system starts and serves; health names each with its reason, and is degraded', () => {
    const { health, features } = given;
    expect(health.status).toBe(200);
    expect(health.body.status).toBe('degraded');
    for (const name of ['backups', 'restore_drills', 'geoip', 'mail']) {
      expect(features.get(name), name).toMatchObject({ state: 'unavailable' });
    }
    expect(features.get('backups')?.why).toContain('pg_dump and pg_restore are not installed');
    expect(features.get('geoip')?.why).toBe('places.mmdb: ENOENT');
    expect(features.get('mail')?.why).toContain('the mail server does not answer');
    expect(features.get('backup_copies')).toMatchObject({ state: 'off', why: expect.stringContaining('BACKUP_S3') });
  });

  it('health tells the public no path, no version and no secret; the log tells operators what to do', () => {
    const said = JSON.stringify(given.health.body);
    expect(said).not.toContain(inject('servers').folder);
    expect(said).not.toContain('127.0.0.1');
    expect(said).not.toMatch(/mail-password|postgresql-client/);
    const [backups] = linesAbout(given.fleet, 'backups');
    expect(backups).toMatchObject({ level: 'warn', state: 'unavailable' });
    expect(backups.detail).toMatch(/found here: none.*Install.*or set BACKUP_TOOLS_DIR/);
    for (const name of ['geoip', 'mail', 'restore_drills', 'backup_copies', 'security_questions'])
      expect(linesAbout(given.fleet, name), name).toHaveLength(1);
    expect(log(given.fleet)).not.toContain('mail-password');
  });

  it('a backup is refused with what is missing, and nothing is begun', async () => {
    const admin = await people.signedIn('admin');
    const refused = await given.api.post('/api/admin/backups', {}, { token: admin.token });
    expect(refused).toMatchObject({ status: 503, body: { code: 'backups_unavailable', reason: 'tools_missing' } });
    expect(refused.body.detail).toMatch(/pg_dump and pg_restore \d+ or newer are needed/);
    const { n } = await oneRow<{ n: string }>(
      given.fleet.database.db.fork(),
      `select count(*) as n from backup_run where trigger = 'manual'`,
    );
    expect(n).toBe('0');
  });

  it('a sign-in goes on, and counts the place that could not be looked up as a failed question', async () => {
    const person = await people.register();
    const headers = { 'X-Forwarded-For': '8.8.8.8' };
    const login = await people.login(person, { headers });
    // Known from its registration, and yet asked for a code: nothing fails open.
    expect(login.status).toBe(202);
    const { reasons } = await oneRow<{ reasons: { ruleId: string; points: number; note?: string }[] }>(
      given.fleet.database.db.fork(),
      'select reasons from login where id = $1',
      [login.body.loginId],
    );
    expect(reasons.find(({ ruleId }) => ruleId === 'geo_unknown')).toMatchObject({ note: 'error' });
  });

  it('a letter waits, and its code opens the sign-in once the mail server is back', async () => {
    const person = await people.register();
    const login = await people.login(person, { device: { ...HOME_DEVICE, plugins: ['another'] } });
    expect(login).toMatchObject({ status: 202, body: { methods: ['email_code'] } });
    const waiting = await eventually(
      async () => {
        const found = await row<{ attempts: number; last_error: string }>(
          given.fleet.database.db.fork(),
          `select attempts, last_error from outbox_mail
            where recipient = $1 and template = 'login_code' and sent_at is null and failed_at is null and attempts > 0`,
          [person.email],
        );
        return found;
      },
      { what: 'an attempt' },
    );
    expect(waiting.last_error).toBe('smtp_unavailable');

    const received: string[] = [];
    const server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(null, { user: 'mailer' }),
      onData: (stream, _session, done) => {
        text(stream).then((letter) => {
          received.push(letter);
          done();
        }, done);
      },
    });
    await new Promise<void>((resolve) => server.listen(mailPort, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const letter = await eventually(
      () => received.find((one) => one.includes(`To: ${person.email}`) && CODE.test(one)),
      { what: 'the letter', timeoutMs: 40_000 },
    );
    const code = CODE.exec(letter)?.[0];
    const passed = await given.api.post(`/api/auth/login/${login.body.loginId}/factors`, {
      method: 'email_code',
      code,
    });
    expect(passed).toMatchObject({ status: 200, body: { status: 'authenticated' } });
  });
});

describe('nothing of it is configured', () => {
  let given: Awaited<ReturnType<typeof started>>;

  beforeAll(async () => {
    given = await started(() => ({ GEOIP_DATABASE: ',' }));
  }, 180_000);
  afterAll(() => given?.fleet.stop());

  it('is off, each with the variable to set, and the system is whole', async () => {
    const { features, api } = given;
    for (const [name, variable] of [
      ['backups', 'DATABASE_BACKUP_URL'],
      ['restore_drills', 'DATABASE_DRILL_URL'],
      ['backup_copies', 'BACKUP_S3_ENDPOINT'],
      ['geoip', 'GEOIP_DATABASE'],
      ['mail', 'SMTP_URL'],
      ['deposits', 'STRIPE_SECRET_KEY'],
      ['security_questions', 'SECURITY_QUESTIONS'],
    ] as const) {
      expect(features.get(name), name).toMatchObject({ state: 'off', why: expect.stringContaining(variable) });
      expect(linesAbout(given.fleet, name), name).toHaveLength(1);
    }
    await eventually(async () => (await api.get('/api/health')).body.status === 'up', { what: 'a whole system' });
  });

  it('what is off is refused by name', async () => {
    const admin = await given.people.signedIn('admin');
    const refused = await given.api.post('/api/admin/backups', {}, { token: admin.token });
    expect(refused).toMatchObject({ status: 503, body: { code: 'backups_unavailable', reason: 'backups_off' } });
    expect(refused.body.detail).toContain('DATABASE_BACKUP_URL');
  });
});
