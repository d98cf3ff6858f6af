import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonFile, writePrivateFile } from './private-file.ts';
import { endProcess, identify, isRunning, type ProcessIdentity } from './process-identity.ts';

/** In the order in which they are ended: whoever asks others for work goes first. */
export const ROLES = ['api', 'worker', 'temporal', 'postgres'] as const;
export type Role = (typeof ROLES)[number];

/** PostgreSQL takes SIGINT for a fast shutdown; the others take SIGTERM. */
export const stopSignal = (role: Role): NodeJS.Signals => (role === 'postgres' ? 'SIGINT' : 'SIGTERM');

/**
 * Keeps in `children.json` of the data folder which processes a start has begun, by id and start time, so that the next
 * start can end them after this one was killed.
 */
export function createChildRegistry(dataDir: string) {
  const path = join(dataDir, 'children.json');
  const children: Partial<Record<Role, ProcessIdentity>> = {};

  return {
    /** Ends what a killed start left behind, in order. @returns the names of those that were still running. */
    async endOrphans(): Promise<Role[]> {
      const left = readJsonFile<Partial<Record<Role, ProcessIdentity>>>(path) ?? {};
      const orphans = ROLES.filter((role) => left[role] && isRunning(left[role]));
      for (const role of orphans) await endProcess(left[role] as ProcessIdentity, stopSignal(role), 10_000);
      rmSync(path, { force: true });
      return orphans;
    },
    /** Stores a child as soon as it exists: one that is not yet ready can be orphaned, too. */
    record(role: Role, pid: number): void {
      const identity = identify(pid);
      if (!identity) return;
      children[role] = identity;
      writePrivateFile(path, `${JSON.stringify(children)}\n`);
    },
    pid(role: Role): number | undefined {
      return children[role]?.pid;
    },
    /** Ends all at once and at last; for an operator who does not want to wait. */
    killAll(): void {
      for (const role of ROLES) {
        const child = children[role];
        if (child && isRunning(child)) process.kill(child.pid, 'SIGKILL');
      }
    },
    /** After an orderly stop. */
    clear(): void {
      rmSync(path, { force: true });
    },
  };
}

export type ChildRegistry = ReturnType<typeof createChildRegistry>;
