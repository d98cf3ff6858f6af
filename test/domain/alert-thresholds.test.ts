import { expect, test } from 'vitest';
import { evaluateAlerts, type Measurements } from '../../domain/alert.ts';

const WELL: Measurements = {
  ...{ sealLagSeconds: 0, mailWaitingSeconds: 0, requests: 0, serverErrors: 0, lostWorkflows: 0, strayEntries: 0 },
  ...{ checkpointWaitingSeconds: 0, checkpointFailures: 0 },
};
const firing = (measured: Partial<Measurements>) =>
  evaluateAlerts({ ...WELL, ...measured }).flatMap(({ name, firing: fires }) => (fires ? [name] : []));

test.each([
  [{}, []],
  [{ sealLagSeconds: 30 }, []],
  [{ sealLagSeconds: 30.1 }, ['seal_lag']],
  [{ checkpointWaitingSeconds: 7_200 }, []],
  [{ checkpointWaitingSeconds: 7_201 }, ['checkpoint_late']],
  [{ checkpointFailures: 1 }, ['checkpoint_incomplete']],
  [{ mailWaitingSeconds: 60 }, []],
  [{ mailWaitingSeconds: 61 }, ['outbox_backlog']],
  [{ requests: 100, serverErrors: 5 }, []],
  [{ requests: 100, serverErrors: 6 }, ['server_errors']],
  // A few errors among a few requests are no rate.
  [{ requests: 4, serverErrors: 4 }, []],
  [{ requests: 5, serverErrors: 5 }, ['server_errors']],
  [{ lostWorkflows: 10 }, []],
  [{ lostWorkflows: 11 }, ['lost_workflows']],
  [{ strayEntries: 1 }, ['audit_months']],
  [{ sealLagSeconds: 31, lostWorkflows: 11 }, ['seal_lag', 'lost_workflows']],
])('%j fires %j', (measured, expected) => {
  expect(firing(measured)).toEqual(expected);
});
