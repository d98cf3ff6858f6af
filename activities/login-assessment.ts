import { type DeviceMatch, findDevice } from '../db/devices.ts';
import { readHistory } from '../db/login-baseline.ts';
import type { LoginOwner, LoginRecord } from '../db/logins.ts';
import type { Tx } from '../db/sql.ts';
import { assessDevice, type DeviceFinding } from '../domain/device.ts';
import { LOGIN_RULE_SET_V1 } from '../domain/risk/login-rule-set.ts';
import { assessLogin, LOOKUP_FAILED, type LoginAssessment } from '../domain/risk/login-rules.ts';
import type { ActivityDeps } from './deps.ts';

export interface LoginRisk {
  assessment: LoginAssessment;
  device: DeviceFinding;
  /** The account's device that it was compared with. */
  match: DeviceMatch | undefined;
}

/**
 * Compares a login whose password was right with the account's devices, places and recent failures. Nothing is learned
 * here: the login may still fail.
 */
export async function assessRisk(
  tx: Tx,
  { log }: Pick<ActivityDeps, 'log'>,
  login: LoginRecord,
  owner: LoginOwner,
  deviceCookieRequired: boolean,
): Promise<LoginRisk> {
  const presented = {
    components: login.device,
    signature: login.deviceSignature,
    cookieHashes: login.deviceCookieHashes,
  };
  const match = await findDevice(tx, owner.id, presented, deviceCookieRequired);
  const device = assessDevice(login.device, {
    byCookie: match?.byCookie === true ? match.components : null,
    bySignature: match !== undefined && !match.byCookie,
  });
  const history = await readHistory(tx, login);
  const place = 'place' in login.place ? login.place.place : null;
  const lookupFailed = 'unknown' in login.place && login.place.unknown === 'failed';
  const assessment = assessLogin(
    {
      at: login.startedMicros,
      zones: { profile: owner.timeZone, habitual: history.habitualZone, ip: place?.timeZone },
      place: lookupFailed ? LOOKUP_FAILED : place,
      networkFlags: place?.flags ?? [],
      knownPlaces: history.knownPlaces,
      lastPassed: history.lastPassed,
      accountAttempts: history.accountAttempts,
      networkAttempts: history.networkAttempts,
      device,
    },
    LOGIN_RULE_SET_V1,
    (ruleId, error) => log.error({ loginId: login.id, ruleId, err: error }, 'a login rule failed'),
  );
  return { assessment, device, match };
}
