import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { auditSeverity } from '../../domain/audit-severity.ts';

const ROOT = join(import.meta.dirname, '../..');

it.each([
  ['login.succeeded', 'success', 'info'],
  ['login.failed', 'failure', 'low'],
  ['login.denied', 'denied', 'high'],
  ['account.restricted', 'success', 'high'],
  ['audit.verified', 'success', 'info'],
  ['audit.verified', 'failure', 'critical'],
  ['audit.checkpoint_refused', 'failure', 'critical'],
  ['transaction.held', 'success', 'medium'],
  ['something.new', 'success', 'info'],
  ['something.new', 'denied', 'low'],
] as const)('%s with %s is %s', (action, outcome, severity) => {
  expect(auditSeverity({ action, outcome })).toBe(severity);
});

it('an incident has its own, and only a severity counts as one', () => {
  const opened = (severity: unknown) =>
    auditSeverity({ action: 'incident.opened', outcome: 'success', details: { severity } });
  expect(opened('critical')).toBe('critical');
  expect(opened('low')).toBe('low');
  expect(opened('grave')).toBe('info');
  expect(auditSeverity({ action: 'login.failed', outcome: 'failure', details: { severity: 'critical' } })).toBe('low');
});

it('names no action that the program does not write', () => {
  const sources = ['activities', 'api', 'cli', 'db', 'temporal'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
  );
  const text = sources.join('\n');
  const named = [
    ...readFileSync(join(ROOT, 'domain/audit-severity.ts'), 'utf8').matchAll(/^ {2}'([a-z_]+)\.([a-z_]+)':/gm),
  ];
  expect(named.length).toBeGreaterThan(20);
  // Written whole, or put together from a kind and a verb.
  const isWritten = ([, kind = '', verb = '']: RegExpMatchArray) =>
    text.includes(`'${kind}.${verb}'`) ||
    text.includes(`\`${kind}.\${`) ||
    (text.includes(`'${verb}'`) && text.includes(`\`\${kind}.\${verb}\``));
  expect(named.filter((one) => !isWritten(one)).map(([whole]) => whole)).toEqual([]);
});
