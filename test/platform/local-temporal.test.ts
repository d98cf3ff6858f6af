import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LocalTemporal, startLocalTemporal } from '../../platform/local-temporal.ts';
import { findTemporalCli } from '../../platform/temporal-cli.ts';

let folder: string;
let server: LocalTemporal | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-temporal-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: server?.address as string });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

// A machine without Temporal builds it here, once.
const MINUTES = 15 * 60_000;

test('a workflow that is held survives a kill -9 of Temporal, and closed ones stay readable for 30 days', {
  timeout: MINUTES,
}, async () => {
  server = await startLocalTemporal({ dataDir: folder });
  expect((await fetch(server.uiUrl as string)).status).toBe(200);
  await withClient((client) => client.workflow.start('held', { workflowId: 'held-1', taskQueue: 'nobody', args: [] }));
  process.kill(server.pid, 'SIGKILL');
  await server.exited;

  server = await startLocalTemporal({ dataDir: folder, headless: true });
  expect(server.uiUrl).toBeUndefined();
  await withClient(async (client) => {
    expect((await client.workflow.getHandle('held-1').describe()).status.name).toBe('RUNNING');
    const { config } = await client.workflowService.describeNamespace({ namespace: 'default' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
    const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace: 'default' });
    expect(Object.keys(customAttributes ?? {})).toEqual(
      expect.arrayContaining(['TradeguardUser', 'TradeguardStatus', 'TradeguardRisk', 'TradeguardSeverity']),
    );
  });
});

test('a database file made by another version is refused with what to do', { timeout: MINUTES }, async () => {
  const cli = await findTemporalCli();
  server = await startLocalTemporal({ dataDir: folder, headless: true, cli });
  await server.stop();
  const refused = startLocalTemporal({ dataDir: folder, cli: { ...cli, serverVersion: '1.0.0' } });
  await expect(refused).rejects.toThrow(/was made by Temporal server .* is 1\.0\.0\. Set TEMPORAL_CLI/);
});

test('a server that does not come up is told with the end of its log', async () => {
  const path = join(folder, 'broken');
  writeFileSync(path, '#!/bin/sh\necho "disk is on fire"\nexit 3\n', { mode: 0o755 });
  const cli = { path, serverVersion: '1.29.1', source: 'PATH' };
  await expect(startLocalTemporal({ dataDir: folder, cli })).rejects.toThrow(/It ended\.[\s\S]*disk is on fire/);
});
