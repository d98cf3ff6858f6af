import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from './child-registry.ts';
import { writePrivateFile } from './private-file.ts';

/** Where a running installation is reached, for tools and tests. Holds database passwords: the file is 0600. */
export interface Endpoints {
  readonly api: string;
  /** Undefined for a Temporal server of the operator's whose UI is not told. */
  readonly temporalUi: string | undefined;
  /** For the application's role. */
  readonly database: string;
  /** Outside production only. */
  readonly databaseOwner: string | undefined;
  /** `host:port` */
  readonly temporal: string;
  /** Of those processes that this start runs. */
  readonly pids: Readonly<Partial<Record<Role | 'supervisor', number>>>;
}

const fileOf = (dataDir: string): string => join(dataDir, 'endpoints.json');

export function writeEndpoints(dataDir: string, endpoints: Endpoints): void {
  writePrivateFile(fileOf(dataDir), `${JSON.stringify(endpoints, null, 2)}\n`);
}

export function removeEndpoints(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true });
}
