import type { z } from 'zod';
import type { Proposal } from '../db/rule-set-life.ts';
import { type ComparedActions, MAX_COMPARED, type ShadowComparison } from '../db/shadow-comparison.ts';
import { iso } from '../db/sql.ts';
import { isHold } from '../domain/risk/transaction-decision.ts';
import type { comparisonSchema, proposalSchema } from './rule-set-schema.ts';

export function proposalView({ id, ...proposal }: Proposal): z.input<typeof proposalSchema> {
  return { proposalId: id, ...proposal, proposedAt: iso(proposal.proposedAt) };
}

/** Sums up what a version would have decided beside what was decided. */
export function comparisonView(
  window: { version: string; from: string; to: string },
  found: ShadowComparison,
): z.input<typeof comparisonSchema> {
  const { counts } = found;
  const sum = (which: (one: ComparedActions) => boolean) => counts.filter(which).reduce((total, { n }) => total + n, 0);
  const hits = (side: 'live' | 'shadow', fraud: boolean) => ({
    held: sum((one) => one.fraud === fraud && isHold(one[side])),
    released: sum((one) => one.fraud === fraud && !isHold(one[side])),
  });
  const fraud = { live: hits('live', true), shadow: hits('shadow', true) };
  const clean = { live: hits('live', false), shadow: hits('shadow', false) };
  const precision = (side: 'live' | 'shadow') => ratio(fraud[side].held, fraud[side].held + clean[side].held);
  const recall = (side: 'live' | 'shadow') => ratio(fraud[side].held, fraud[side].held + fraud[side].released);
  const byActions = new Map<string, { live: ComparedActions['live']; shadow: ComparedActions['shadow']; n: number }>();
  for (const { live, shadow, n } of counts) {
    const key = `${live} ${shadow}`;
    byActions.set(key, { live, shadow, n: n + (byActions.get(key)?.n ?? 0) });
  }
  return {
    ...window,
    liveVersions: found.liveVersions,
    compared: sum(() => true),
    complete: found.looked < MAX_COMPARED,
    actions: [...byActions.values()],
    held: {
      live: sum(({ live }) => isHold(live)),
      shadow: sum(({ shadow }) => isHold(shadow)),
      newly: sum(({ live, shadow }) => isHold(shadow) && !isHold(live)),
      noLonger: sum(({ live, shadow }) => !isHold(shadow) && isHold(live)),
    },
    labels: {
      fraud,
      clean,
      precision: { live: precision('live'), shadow: precision('shadow') },
      recall: { live: recall('live'), shadow: recall('shadow') },
    },
    examples: { newlyHeld: found.newlyHeld, noLongerHeld: found.noLongerHeld },
  };
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
