import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { FROM, PHONE } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { zoneAtHour } from '../helpers/zones.ts';

describe('devices', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ schedules: true });
  });
  afterAll(() => stack.close());

  const list = async (token: string) => (await stack.api.get('/api/devices', { token })).body.items;
  const trust = (id: string, token: string) => stack.api.post(`/api/devices/${id}/trust`, {}, { token });
  const revoke = (id: string, token: string) => stack.api.delete(`/api/devices/${id}`, { token });
  const userOf = async (email: string) =>
    (await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email])).id;
  const trail = async (email: string) =>
    rows<{ action: string; details: Record<string, unknown> }>(
      stack.db.fork(),
      `select action, entry::jsonb -> 'details' as details from audit_entry
        where subject = $1 and action like 'device.%' order by at, id`,
      [await userOf(email)],
    );

  /** Somebody with the device they registered from, its token, and a session on it. */
  async function somebody() {
    const person = await stack.people.register();
    const { deviceToken } = person.answer.body;
    // By night every login would score more.
    const zone = await zoneAtHour(12);
    await run(stack.db.fork(), 'update app_user set time_zone = $2 where email_key = $1', [person.email, zone]);
    const opened = await signIn(person, { deviceToken });
    expect(opened.status).toBe(200);
    return { ...person, deviceToken: deviceToken as string, token: opened.body.session.token as string };
  }
  const signIn = (
    person: { email: string; password: string },
    { deviceToken, device = HOME_DEVICE, headers = {} }: { deviceToken?: string; device?: object; headers?: object },
  ) =>
    stack.api.post(
      '/api/auth/login',
      { email: person.email, password: person.password, device, ...(deviceToken === undefined ? {} : { deviceToken }) },
      { headers: { ...headers } },
    );
  /** A session on a phone that the account did not know: the mailed code proves it. */
  async function onPhone(person: { email: string; password: string }) {
    const asked = await signIn(person, { device: PHONE });
    expect(asked.status).toBe(202);
    const code = stack.mail.codesFor(person.email).at(-1);
    const proven = await stack.api.post(`/api/auth/login/${asked.body.loginId}/factors`, {
      method: 'email_code',
      code,
    });
    expect(proven.status).toBe(200);
    return proven.body.session.token as string;
  }

  it('[D1] [D2] keep what was told of user agent, screen, timezone and plugins, under its SHA-256', async () => {
    const person = await somebody();
    const [device] = await list(person.token);
    expect(device.components).toEqual({
      browser: 'chrome',
      os: 'linux',
      resolution: '1920x1080x24',
      timezone: 'europe/berlin',
      platform: 'linux x86_64',
      plugins: ['pdf viewer'],
    });
    const { signature } = await oneRow<{ signature: Buffer }>(
      stack.db.fork(),
      'select signature from device where id = $1',
      [device.deviceId],
    );
    const parts = ['chrome', 'linux', '1920x1080x24', 'europe/berlin', ['pdf viewer']];
    const text = JSON.stringify(['tradeguard-device/v1', ...parts]);
    expect(signature.toString('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it('[D6] that are unknown ask for a code beside the right password, and without it open no session', async () => {
    const person = await somebody();
    const asked = await signIn(person, { device: PHONE });
    expect([asked.status, asked.body.status, asked.body.session]).toEqual([202, 'step_up_required', undefined]);
    expect(asked.body.methods).toEqual(['email_code']);
    const prove = (code: string) =>
      stack.api.post(`/api/auth/login/${asked.body.loginId}/factors`, { method: 'email_code', code });
    const code = stack.mail.codesFor(person.email).at(-1) ?? '';
    const wrong = await prove(code === '000000' ? '000001' : '000000');
    expect([wrong.status, wrong.body.session]).toEqual([401, undefined]);
    expect(await list(person.token)).toHaveLength(1);
    expect((await prove(code)).body.session.token).toEqual(expect.any(String));
    expect(await list(person.token)).toHaveLength(2);
  });

  it('[D6] [D7] are listed to their owner, with the one in use; an unknown one had to prove itself first', async () => {
    const person = await somebody();
    const phone = await onPhone(person);
    expect((await trail(person.email)).map(({ action }) => action)).toEqual(['device.added', 'device.added']);
    const seen = await list(phone);
    expect(seen.map(({ current }: { current: boolean }) => current)).toEqual([true, false]);
    expect(seen[0]).toMatchObject({ components: { os: 'ios', browser: expect.any(String) }, trusted: false });
    expect((await list(person.token)).map(({ current }: { current: boolean }) => current)).toEqual([false, true]);
  });

  it('[D7] are never another’s: not listed, not trusted, not revoked', async () => {
    const [owner, other] = [await somebody(), await somebody()];
    const [device] = await list(owner.token);
    expect((await list(other.token)).map(({ deviceId }: { deviceId: string }) => deviceId)).not.toContain(
      device.deviceId,
    );
    for (const answer of [await trust(device.deviceId, other.token), await revoke(device.deviceId, other.token)]) {
      expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    }
    expect((await list(owner.token))[0]).toEqual(device);
  });

  it('[D3] are trusted for one user, who is nobody’s else on the same machine with the same cookie', async () => {
    const [owner, other] = [await somebody(), await stack.people.register({ device: PHONE })];
    const [device] = await list(owner.token);
    expect((await trust(device.deviceId, owner.token)).status).toBe(200);
    const borrowed = await signIn(other, { deviceToken: owner.deviceToken });
    expect([borrowed.status, borrowed.body.status]).toEqual([202, 'step_up_required']);
    expect(await list(owner.token)).toEqual([{ ...device, trusted: true, trustedAt: expect.any(String) }]);
  });

  it('[D3] [D7] are trusted by their owner, once, and trust skips no rule', async () => {
    const person = await somebody();
    const headers = FROM.berlin;
    expect((await signIn(person, { deviceToken: person.deviceToken, headers })).status).toBe(200);
    const [device] = await list(person.token);
    const first = await trust(device.deviceId, person.token);
    expect(first.body).toMatchObject({ deviceId: device.deviceId, trusted: true, trustedAt: expect.any(String) });
    expect((await trust(device.deviceId, person.token)).body.trustedAt).toBe(first.body.trustedAt);
    expect((await trail(person.email)).filter(({ action }) => action === 'device.trusted')).toHaveLength(1);
    const travelled = await signIn(person, { deviceToken: person.deviceToken, headers: FROM.tokyo });
    expect(travelled.body.code).toBe('login_denied');
  });

  it('[D7] [D9] that are revoked lose their sessions and are unknown; the others stay', async () => {
    const person = await somebody();
    const phone = await onPhone(person);
    const home = (await list(phone)).find(({ current }: { current: boolean }) => !current);
    expect((await revoke(home.deviceId, phone)).status).toBe(204);
    expect((await stack.api.get('/api/devices', { token: person.token })).status).toBe(401);
    expect(await list(phone)).toHaveLength(1);
    expect((await revoke(home.deviceId, phone)).status).toBe(404);
    expect((await signIn(person, { deviceToken: person.deviceToken })).status).toBe(202);
    expect((await trail(person.email)).at(-1)).toEqual({
      action: 'device.revoked',
      details: { deviceId: home.deviceId },
    });
  });

  it('[D4] [D9] that changed are told by class in the trail, and learned', async () => {
    const person = await somebody();
    const [before] = await list(person.token);
    const device = { ...HOME_DEVICE, timezone: 'America/New_York', screen: { ...HOME_DEVICE.screen, width: 2560 } };
    expect((await signIn(person, { deviceToken: person.deviceToken, device })).status).toBe(200);
    const { points } = await oneRow<{ points: number }>(
      stack.db.fork(),
      `select (r ->> 'points')::int as points from login l, jsonb_array_elements(l.reasons) r
        where l.user_id = $1 and r ->> 'ruleId' = 'device_changed' order by l.seq desc limit 1`,
      [await userOf(person.email)],
    );
    expect(points).toBe(30);
    expect((await trail(person.email)).at(-1)).toEqual({
      action: 'device.changed',
      details: expect.objectContaining({ deviceId: before.deviceId, changed: ['resolution', 'timezone'] }),
    });
    const [after] = await list(person.token);
    expect(after.components).toMatchObject({ timezone: 'america/new_york', resolution: '2560x1080x24' });
    expect(after.firstSeenAt).toBe(before.firstSeenAt);
    expect(Date.parse(after.lastSeenAt)).toBeGreaterThan(Date.parse(before.lastSeenAt));
  });

  const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0';
  it.each([
    ['resolution', { screen: { ...HOME_DEVICE.screen, height: 1200 } }],
    ['timezone', { timezone: 'Asia/Tokyo' }],
    ['browser', { userAgent: FIREFOX }],
    ['os', { userAgent: HOME_DEVICE.userAgent.replace('X11; Linux', 'Windows NT 10.0; Win64;'), platform: 'Win32' }],
  ])('[D4] that come with another %s are found, weighed with 0.15 and traced', async (changed, parts) => {
    const person = await somebody();
    const answer = await signIn(person, { deviceToken: person.deviceToken, device: { ...HOME_DEVICE, ...parts } });
    expect(answer.status).toBe(200);
    const { points } = await oneRow<{ points: number }>(
      stack.db.fork(),
      `select (r ->> 'points')::int as points from login l, jsonb_array_elements(l.reasons) r
        where l.user_id = $1 and r ->> 'ruleId' = 'device_changed' order by l.seq desc limit 1`,
      [await userOf(person.email)],
    );
    expect(points).toBe(15);
    expect((await trail(person.email)).at(-1)).toMatchObject({
      action: 'device.changed',
      details: { changed: [changed] },
    });
  });

  it('[D5] [D9] that cannot be what they say are denied, traced, and lose their owner’s trust', async () => {
    const person = await somebody();
    const [device] = await list(person.token);
    await trust(device.deviceId, person.token);
    const moved = await signIn(person, { deviceToken: person.deviceToken, device: PHONE });
    expect(moved.body.code).toBe('login_denied');
    expect((await trail(person.email)).at(-1)).toEqual({
      action: 'device.impossible_change',
      details: expect.objectContaining({
        deviceId: device.deviceId,
        impossible: ['form_factor_changed'],
        lostTrust: true,
      }),
    });
    const [after] = await list(person.token);
    expect(after).toMatchObject({ trusted: false, components: { os: 'linux' }, lastSeenAt: device.lastSeenAt });
  });

  it('[D10] that come with three classes changed count as an indicator and lose trust, and the login goes on', async () => {
    const person = await somebody();
    const [device] = await list(person.token);
    await trust(device.deviceId, person.token);
    const windows = {
      ...HOME_DEVICE,
      userAgent: HOME_DEVICE.userAgent.replace('X11; Linux x86_64', 'Windows NT 10.0; Win64; x64'),
      platform: 'Win32',
      timezone: 'America/New_York',
      screen: { ...HOME_DEVICE.screen, width: 2560 },
    };
    expect((await signIn(person, { deviceToken: person.deviceToken, device: windows })).status).toBe(200);
    const found = await rows(stack.db.fork(), 'select kind from compromise_indicator where user_id = $1', [
      await userOf(person.email),
    ]);
    expect(found).toEqual([{ kind: 'device_replaced' }]);
    expect((await list(person.token))[0]).toMatchObject({ deviceId: device.deviceId, trusted: false });
    expect((await trail(person.email)).slice(-2).map(({ action }) => action)).toEqual([
      'device.replaced',
      'device.changed',
    ]);
  });

  it('[D8] are forgotten by the daily schedule after 90 days unseen, trusted ones too, and not a day earlier', async () => {
    const people = [await somebody(), await somebody(), await somebody()] as const;
    const [gone, trusted, recent] = people;
    const idOf = async (person: { token: string }) => (await list(person.token))[0].deviceId as string;
    const [goneId, trustedId, recentId] = [await idOf(gone), await idOf(trusted), await idOf(recent)];
    await trust(trustedId, trusted.token);
    const shift = (id: string, age: string) =>
      run(stack.db.fork(), 'update device set last_seen_at = clock_timestamp() - $2::interval where id = $1', [
        id,
        age,
      ]);
    await shift(goneId, '90 days 1 minute');
    await shift(trustedId, '400 days');
    await shift(recentId, '89 days 23 hours');

    const schedule = stack.temporal.schedule.getHandle(`${stack.config.taskQueuePrefix}-device-clean-up`);
    expect((await schedule.describe()).spec.calendars).toHaveLength(1);
    await schedule.trigger();
    await eventually(async () => (await list(gone.token)).length === 0);
    await eventually(async () => (await list(trusted.token)).length === 0);
    expect(await list(recent.token)).toHaveLength(1);
    for (const [person, id, wasTrusted] of [
      [gone, goneId, false],
      [trusted, trustedId, true],
    ] as const) {
      expect((await trail(person.email)).at(-1)).toEqual({
        action: 'device.expired',
        details: expect.objectContaining({ deviceId: id, wasTrusted, unseenForDays: 90 }),
      });
      expect((await signIn(person, { deviceToken: person.deviceToken })).status).toBe(202);
    }
  });
});
