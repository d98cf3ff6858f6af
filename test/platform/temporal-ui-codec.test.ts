import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalTemporal, startLocalTemporal } from '../../platform/local-temporal.ts';

const CODEC = 'http://127.0.0.1:3001';
const folder = mkdtempSync(join(tmpdir(), 'tradeguard-ui-'));
let temporal: LocalTemporal;

beforeAll(async () => {
  temporal = await startLocalTemporal({ dataDir: folder, codecEndpoint: CODEC });
});
afterAll(async () => {
  await temporal?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('the Temporal UI is told which codec server to ask', async () => {
  const settings = await fetch(`${temporal.uiUrl}/api/v1/settings`);
  expect(await settings.json()).toMatchObject({ Codec: { Endpoint: CODEC } });
});
