import {
  allHandlersFinished,
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { IncidentState } from '../activities/incident.ts';
import { type IncidentInput, incidentChanged } from './contract.ts';
import { background } from './options.ts';
import { searchAttributes } from './search-attributes.ts';

/**
 * One incident from its opening to its resolution: tells staff, and escalates for as long as nobody takes it up. The row
 * is the truth; a `changed` signal says that it is worth another look.
 */
export async function incident({ incidentId }: IncidentInput): Promise<void> {
  let changes = 0;
  setHandler(incidentChanged, () => {
    changes += 1;
  });

  let seen = changes;
  let state = await background.announceIncident(incidentId);
  show(state);
  while (state.status !== 'resolved') {
    const before = state;
    if (changes !== seen || (await changed(state.escalateInMs))) {
      seen = changes;
      state = await background.readIncident(incidentId);
    } else {
      state = await background.escalateIncident(incidentId, state.escalations);
    }
    if (state.status !== before.status || state.severity !== before.severity) show(state);
  }
  await condition(allHandlersFinished);

  /** Waits for a signal, or until it is time to escalate. @returns whether a signal came */
  async function changed(escalateInMs: number | null): Promise<boolean> {
    const isChanged = () => changes !== seen;
    if (escalateInMs === null) {
      await condition(isChanged);
      return true;
    }
    return escalateInMs > 0 && condition(isChanged, escalateInMs, { summary: 'until escalated' });
  }
}

/** What operators see in the Temporal UI. */
function show(state: IncidentState): void {
  setCurrentDetails(`${state.severity}, ${state.status}, escalated ${state.escalations} times`);
  upsertSearchAttributes([
    { key: searchAttributes.status, value: state.status },
    { key: searchAttributes.severity, value: state.severity },
  ]);
}
