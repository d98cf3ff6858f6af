import type { Instance } from '../helpers/instance.ts';
import { type Finding, found, type Severity } from './finding.ts';

interface Examined {
  id: string;
  title: string;
  state: 'ok' | 'warn' | 'fail';
  detail: string;
}

/** Ids whose failing would lose evidence, data or access; the rest of the checklist is of medium severity. */
const GRAVE: Readonly<Record<string, Severity>> = {
  'audit-rights': 'critical',
  'audit-verification': 'critical',
  checkpoints: 'high',
  secrets: 'critical',
  'database-role': 'high',
  'database-tls': 'high',
  backup: 'high',
  'restore-drill': 'high',
  incidents: 'high',
  origin: 'high',
  'way-in': 'high',
  sealer: 'high',
};

/** The checklist of `tradeguard doctor --production`. A warning is no pass: somebody has to look. */
export async function observeChecklist(instance: Instance): Promise<Finding[]> {
  const { output } = await instance.cli('doctor', '--production', '--json');
  const { findings } = JSON.parse(output.slice(output.indexOf('{'))) as { findings: Examined[] };
  return findings.map(({ id, title, state, detail }) =>
    found(
      {
        id: `doctor-${id}`,
        area: 'Installation',
        severity: GRAVE[id] ?? 'medium',
        claim: title,
        source: 'tradeguard doctor --production --json',
        observed: `${state}: ${withoutPlaces(detail)}`,
      },
      state === 'warn' ? undefined : state === 'ok',
    ),
  );
}

/** Folders and ports differ from run to run and say nothing to a reader. */
function withoutPlaces(detail: string): string {
  return detail.replaceAll(/(?<![\w:/])\/[\w./-]+/g, '(path)').replaceAll(/(127\.0\.0\.1):\d+/g, '$1:(port)');
}
