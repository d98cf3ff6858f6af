/** The three dashboards, as tables. */
import { el, facts, table, time } from './dom.js';

const percent = (share) => `${(share * 100).toFixed(1)} %`;
const score = (value) => (value === null ? '–' : value.toFixed(2));
const list = (sentences) =>
  sentences.length === 0
    ? '–'
    : el(
        'ul',
        {},
        sentences.map((one) => el('li', {}, one)),
      );
const whom = ({ userId, subject }) => userId ?? `unknown address ${subject.slice(0, 12)}`;

/** What was decided in a day, and what was suspicious about it. */
export function showTransactions(container, { last24Hours: day, open, anomalies, highRisk, flagged }) {
  const risky = (caption, rows) =>
    table(
      caption,
      ['When', 'What', 'Score', 'Status', 'Why'],
      rows.map((one) => [
        time(one.createdAt),
        `${one.type} ${one.amount ?? '?'} ${one.currency}`,
        score(one.score),
        one.code ? `${one.status}: ${one.code}` : one.status,
        list(one.explanation),
      ]),
    );
  container.replaceChildren(
    facts([
      ['Waiting for a reviewer', open.held],
      ['Next deadline', time(open.nextDeadline)],
      ['Waiting for a factor', open.steppingUp],
      ['Decided in 24 hours', day.total],
      ['Settled at once', day.byDecision.settled],
      ['Asked for a factor', day.byDecision.step_up_required],
      ['Held', day.byDecision.quarantined],
      ['Rejected at once', day.byDecision.rejected],
      ['High risk, flagged, escalated', `${day.highRisk}, ${day.flagged}, ${day.escalated}`],
      ['Settled volume', day.settledVolume.map(({ amount, currency }) => `${amount} ${currency}`).join(', ') || '–'],
    ]),
    table(
      'Anomalies by rule',
      ['Rule', 'Fired', 'Share', 'Errors'],
      anomalies.map((one) => [one.ruleId, one.fired, percent(one.share), one.errors]),
    ),
    risky('Flagged for review (above 0.7)', flagged),
    risky('High risk (above 0.6)', highRisk),
  );
}

/** Who tried to sign in, who failed, who is locked out. */
export function showAuth(container, { recentAttempts, failedLogins, lockedAccounts, thresholds }) {
  container.replaceChildren(
    table(
      'Locked accounts',
      ['Who', 'Since', 'Until'],
      lockedAccounts.map((one) => [whom(one), time(one.startedAt), time(one.lockedUntil)]),
    ),
    table(
      'Failed logins by user, 24 hours',
      ['Who', 'Failures', 'While locked', 'Networks', 'Last'],
      failedLogins.byUser.map((one) => [whom(one), one.failures, one.whileLocked, one.networks, time(one.lastAt)]),
    ),
    table(
      'Recent attempts',
      ['When', 'Who', 'Outcome', 'Score', 'Network', 'Why'],
      recentAttempts.map((one) => [
        time(one.startedAt),
        whom(one),
        one.status,
        score(one.score),
        one.network,
        list(one.explanation),
      ]),
    ),
    facts([
      ['Factor above', score(thresholds.factorAbove)],
      ['Two factors above', score(thresholds.additionalVerificationAbove)],
      ['Denied above', score(thresholds.deniedAbove)],
      ['Lock', `${thresholds.lockout.failures} failures within ${thresholds.lockout.windowSeconds / 60} minutes`],
    ]),
  );
}

/** What the API refused, and what it watches. */
export function showApiSecurity(container, data) {
  const { rateLimitViolations, failedAuthentications, failedSignatures, invalidTokens, monitoredEndpoints } = data;
  const causes = (caption, { byCause }) =>
    table(
      caption,
      ['Cause', 'Refusals'],
      byCause.map((one) => [one.cause, one.refusals]),
    );
  const called = monitoredEndpoints.filter(({ calls }) => calls > 0);
  container.replaceChildren(
    facts([
      ['Rate limit violations', `${rateLimitViolations.total} (limit: ${rateLimitViolations.limitPerMinute} a minute)`],
      ['Requests with an invalid token', failedAuthentications.sessions],
      ['Refused signatures', failedSignatures.total],
      ['Watched endpoints', monitoredEndpoints.length],
    ]),
    table(
      'Rate limit violations, latest',
      ['Route', 'Network', 'User', 'Refusals', 'Last'],
      rateLimitViolations.latest.map((one) => [one.route, one.network, one.userId, one.refusals, time(one.lastAt)]),
    ),
    causes('Refused signatures by cause', failedSignatures),
    causes('Invalid tokens by cause', invalidTokens),
    table(
      'Wrong codes',
      ['For', 'Method', 'Failures'],
      failedAuthentications.factors.map((one) => [one.challenge, one.method, one.failures]),
    ),
    table(
      'Endpoints called since the process started',
      ['Endpoint', 'Calls', 'Client errors', 'Server errors'],
      called.map((one) => [`${one.method} ${one.path}`, one.calls, one.clientErrors, one.serverErrors]),
    ),
  );
}
