import { type DeviceMatch, withdrawTrust } from '../db/devices.ts';
import { type IndicatorConsequences, isLockoutRepeated, recordIndicators } from '../db/indicators.ts';
import type { LoginOwner, LoginRecord } from '../db/logins.ts';
import type { Tx } from '../db/sql.ts';
import { deviceIndicator, loginIndicators } from '../domain/restriction.ts';
import type { ActivityDeps } from './deps.ts';
import type { LoginRisk } from './login-assessment.ts';
import type { LoginOutcomes } from './login-outcome.ts';

/** What logins find that counts towards a restriction. All run in the login's transaction, under its locks. */
export function createLoginIndicators(deps: ActivityDeps, outcomes: LoginOutcomes) {
  const causeOf = (login: LoginRecord) => ({
    ip: login.ip,
    userAgent: login.userAgent,
    requestId: login.requestId,
    workflowId: `login:${login.id}`,
  });

  /** A device that is no longer believed loses its owner's trust at once, whether the login passes or not. */
  async function traceDevice(tx: Tx, login: LoginRecord, match: DeviceMatch | undefined, risk: LoginRisk) {
    const { impossible, changed } = risk.device;
    if (deviceIndicator(risk.device) === null) return;
    const deviceId = match?.id ?? null;
    const lostTrust = match?.byCookie === true && (await withdrawTrust(tx, match.id));
    const action = impossible.length > 0 ? 'device.impossible_change' : 'device.replaced';
    await deps.audit.append(tx, outcomes.event(login, action, 'failure', { deviceId, impossible, changed, lostTrust }));
  }

  return {
    /** Of a login whose password was right: its device, its place, its denial. */
    async ofRisk(tx: Tx, login: LoginRecord, owner: LoginOwner, risk: LoginRisk): Promise<IndicatorConsequences> {
      await traceDevice(tx, login, risk.match, risk);
      const { reasons, verdict, score } = risk.assessment;
      const kinds = loginIndicators({
        device: risk.device,
        impossibleTravel: reasons.some(({ ruleId, points }) => ruleId === 'impossible_travel' && points > 0),
        denied: verdict === 'deny',
      });
      const found = kinds.map((kind) => ({
        kind,
        key: `login:${login.id}:${kind}`,
        details: { loginId: login.id, score },
      }));
      return recordIndicators(tx, deps, owner.id, found, causeOf(login));
    },

    /** Of a login whose password was right and whose factors were wrong too often. */
    ofFactors: (tx: Tx, login: LoginRecord, owner: LoginOwner, tries: number): Promise<IndicatorConsequences> =>
      recordIndicators(
        tx,
        deps,
        owner.id,
        [{ kind: 'factor_exhausted', key: `login:${login.id}:factors`, details: { loginId: login.id, tries } }],
        causeOf(login),
      ),

    /** Of a lockout that has just begun. */
    async ofLockout(tx: Tx, login: LoginRecord, owner: LoginOwner, lockoutId: string): Promise<IndicatorConsequences> {
      const repeated = await isLockoutRepeated(tx, owner.id);
      return recordIndicators(
        tx,
        deps,
        owner.id,
        repeated ? [{ kind: 'lockout_repeated', key: `lockout:${lockoutId}`, details: { lockoutId } }] : [],
        causeOf(login),
      );
    },
  };
}

/** What two findings of one step lead to. */
export function together(
  a: { restrictions?: string[]; incidents: IndicatorConsequences['incidents'] },
  b: IndicatorConsequences,
): IndicatorConsequences {
  return { restrictions: [...(a.restrictions ?? []), ...b.restrictions], incidents: [...a.incidents, ...b.incidents] };
}
