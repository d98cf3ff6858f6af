import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startLocalPostgres } from '../../platform/local-postgres.ts';
import { startLocalTemporal } from '../../platform/local-temporal.ts';
import { buildWeb } from '../../web/build-process.ts';
import { createTemplate, dropDatabases } from './template.ts';

/** What every test of a run shares. */
export interface SharedServers {
  /** Of a role that may create databases. */
  ownerUrl: string;
  /** Of the application's role; the database in it is not the test's. */
  appUrl: string;
  temporalAddress: string;
  /** A database with the whole schema, to be copied. */
  template: string;
  /** Starts the name of every database of this run. */
  databasePrefix: string;
  /** A folder that lives as long as the run. */
  folder: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: SharedServers;
  }
}

/**
 * One real PostgreSQL and one real Temporal server for all tests, on free ports, with their data in a temporary folder.
 * `TEST_DATABASE_ADMIN_URL` with `TEST_DATABASE_APP_URL`, and `TEST_TEMPORAL_ADDRESS`, name servers that run already.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-test-'));
  const undo: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const [postgres, temporalAddress] = await Promise.all([
      postgresFor(folder, undo),
      temporalFor(folder, undo),
      // The API reads its pages when it starts.
      buildWeb(console.log),
    ]);
    const databasePrefix = `tradeguard_test_${process.pid}_${Date.now().toString(36)}`;
    const template = `${databasePrefix}_template`;
    undo.push(() => dropDatabases(postgres.ownerUrl, databasePrefix));
    await createTemplate(postgres, template);
    project.provide('servers', { ...postgres, temporalAddress, template, databasePrefix, folder });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function postgresFor(folder: string, undo: (() => Promise<unknown>)[]) {
  const { TEST_DATABASE_ADMIN_URL, TEST_DATABASE_APP_URL } = process.env;
  if (TEST_DATABASE_ADMIN_URL && TEST_DATABASE_APP_URL) {
    return { ownerUrl: TEST_DATABASE_ADMIN_URL, appUrl: TEST_DATABASE_APP_URL };
  }
  const postgres = await startLocalPostgres({ dataDir: join(folder, 'servers'), unsafeFast: true });
  undo.push(async () => {
    await postgres.stop();
    // Started by root, it lies outside of the run's folder, where its unprivileged user can reach it.
    rmSync(postgres.dataDirectory, { recursive: true, force: true });
  });
  return { ownerUrl: postgres.ownerUrl, appUrl: postgres.url };
}

async function temporalFor(folder: string, undo: (() => Promise<unknown>)[]): Promise<string> {
  const { TEST_TEMPORAL_ADDRESS } = process.env;
  if (TEST_TEMPORAL_ADDRESS) return TEST_TEMPORAL_ADDRESS;
  const temporal = await startLocalTemporal({ dataDir: join(folder, 'servers'), headless: true, say: console.log });
  undo.push(() => temporal.stop());
  return temporal.address;
}
