import { execFileSync, spawnSync } from 'node:child_process';

/** Whom a process runs as: a user other than root. */
export interface UnprivilegedUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that PostgreSQL runs as when this process is root, since it refuses root: `postgres` where the machine has
 * one, else `nobody`. Undefined when this process is not root and needs no other user.
 * @throws when root finds neither.
 */
export function unprivilegedUser(): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid && gid) return { name, uid, gid };
  }
  throw new Error(
    'PostgreSQL refuses to run as root and this machine has neither a user "postgres" nor "nobody". Add one.',
  );
}

function idOf(option: '-u' | '-g', name: string): number | undefined {
  try {
    const id = Number(execFileSync('id', [option, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return Number.isSafeInteger(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

/** Whether this user can enter the folder: asked of the system itself, since modes, ACLs and mounts all have a say. */
export function canEnter(user: UnprivilegedUser | undefined, directory: string): boolean {
  const ids = user ? { uid: user.uid, gid: user.gid } : {};
  const result = spawnSync('/bin/sh', ['-c', 'cd "$1" && test -r .', 'sh', directory], {
    ...ids,
    cwd: '/',
    stdio: 'ignore',
  });
  return result.status === 0;
}
