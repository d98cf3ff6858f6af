import { describe, expect, it } from 'vitest';
import { CAUSE_SEVERITY, ESCALATION_DELAY_MS, SEVERITIES, type Severity } from '../../domain/incident.ts';
import { readDocument } from './document.ts';
import { brokenLinks, missingFiles, unknownActions, unknownRoutes, wrongErrorCodes, wrongVariables } from './facts.ts';

const playbook = readDocument('docs/INCIDENT_RESPONSE.md');

describe('[G2] what the playbook says', () => {
  it('escalates after the times of the program, and names every cause once, at its severity', () => {
    const rows = playbook.rows.filter(
      ({ section, cells }) => section === '1. Severity and escalation' && /^`\w+`$/.test(cells[0] ?? ''),
    );
    const told = new Map(rows.map(({ cells }) => [cells[0]?.replaceAll('`', '') as Severity, cells] as const));
    expect([...told.keys()]).toEqual([...SEVERITIES]);
    for (const severity of SEVERITIES) {
      const [, within, who, next, causes = ''] = told.get(severity) ?? [];
      expect(minutes(within ?? ''), severity).toBe(ESCALATION_DELAY_MS[severity] / 60_000);
      expect(`${who}${next}`.length, severity).toBeGreaterThan(20);
      const known = Object.entries(CAUSE_SEVERITY).flatMap(([cause, of]) => (of === severity ? [cause] : []));
      expect(causes.replaceAll('`', '').split(', ').toSorted(), severity).toEqual(known.toSorted());
    }
  });

  it('covers every kind of incident and emergency, each with commands, and has the templates', () => {
    for (const about of [
      'Lockout',
      'Quarantine, appeal and approval',
      'Device compromise',
      'Audit violation',
      'Freeze an account',
      'Stop all trading',
      'Rotate all keys at once',
      'Restore from a backup',
      'Temporal lost',
      'PostgreSQL lost',
      'Suspected leak of a signing key',
      'Suspected staff account',
    ]) {
      const commands = playbook.blocks.filter(
        ({ section, language }) => language === 'sh' && section.replace(/^[\d.]+ /, '') === about,
      );
      expect(commands.length, about).toBeGreaterThan(0);
    }
    for (const reader of ['8.1 To the customer', '8.2 To staff', '8.3 To a regulator']) {
      const templates = playbook.blocks.filter(({ section, language }) => section === reader && language === 'text');
      expect(templates.map(({ text }) => text).join(), reader).toContain('Subject: ');
    }
  });

  it('names links, files, routes, variables, errors and audit events that exist', () => {
    expect(brokenLinks(playbook)).toEqual([]);
    expect(missingFiles(playbook)).toEqual([]);
    expect(unknownRoutes(playbook)).toEqual([]);
    expect(wrongVariables(playbook)).toEqual([]);
    expect(wrongErrorCodes(playbook)).toEqual([]);
    expect(unknownActions(playbook)).toEqual([]);
  });
});

function minutes(text: string): number {
  const [, count, unit] = /^(\d+) (min|h)$/.exec(text) ?? [];
  return Number(count) * (unit === 'h' ? 60 : 1);
}
