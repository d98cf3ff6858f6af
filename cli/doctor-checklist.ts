import { type Finding, fail, finding, ok, warn } from './doctor-finding.ts';

/** Whether the processes themselves will know that they are a production. */
export function productionFlag(isSet: boolean): Finding {
  return finding(
    'production-flag',
    'before',
    'The production flag is set',
    isSet ? ok('NODE_ENV=production') : fail('It is not', 'Set NODE_ENV=production for every process.'),
  );
}

/** What no program can see. Each is a warning until a person has seen to it. */
export function forPeople(): Finding[] {
  const seen = (id: string, phase: Finding['phase'], title: string, what: string) =>
    finding(id, phase, title, warn('Only a person can tell', what));
  return [
    seen(
      'keys-elsewhere',
      'before',
      'Keys are kept elsewhere too',
      'Keep copies of the encryption key and AUDIT_KEY away from this machine and from the backups.',
    ),
    seen(
      'rollback',
      'before',
      'The way back is known',
      'Take a backup, `tradeguard backup create`, and note the version that runs now.',
    ),
    seen('notice', 'at', 'Reviewers and support know', 'Tell them when it starts, and who decides to go back.'),
    seen('alerts', 'after', 'Alerts reach somebody', 'Point the monitoring at /api/health, and let it ring once.'),
    seen(
      'walk-through',
      'after',
      'A person tried it',
      'Sign in, make a small transaction, have it reviewed, find both in the audit log.',
    ),
  ];
}
