import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { findTemporalCli } from '../../platform/temporal-cli.ts';

const FAKE = '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"\n';
const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;

let folder: string;
let archive: Buffer;
let releases: Server;
let requested: string[];

beforeAll(async () => {
  const packing = mkdtempSync(join(tmpdir(), 'tradeguard-archive-'));
  writeFileSync(join(packing, 'temporal'), FAKE, { mode: 0o755 });
  execFileSync('tar', ['-czf', 'cli.tar.gz', 'temporal'], { cwd: packing });
  archive = readFileSync(join(packing, 'cli.tar.gz'));
  rmSync(packing, { recursive: true });
  releases = createServer((request, response) => {
    requested.push(request.url ?? '');
    response.end(archive);
  });
  await new Promise<void>((resolve) => releases.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  releases.close();
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-cli-'));
  requested = [];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function find(options: { env?: NodeJS.ProcessEnv; sha256?: string; say?: (line: string) => void }) {
  const sha256 = options.sha256 ?? createHash('sha256').update(archive).digest('hex');
  return findTemporalCli({
    env: { PATH: '', XDG_CACHE_HOME: folder, ...options.env },
    releases: `http://127.0.0.1:${(releases.address() as AddressInfo).port}`,
    archiveSha256: { [platform]: sha256 },
    ...(options.say ? { say: options.say } : {}),
  });
}

test('a download is checked, cached and not repeated', async () => {
  expect(await find({})).toMatchObject({ serverVersion: '1.29.1', source: 'download' });
  expect(requested).toEqual([`/temporal_cli_1.5.1_${platform}.tar.gz`]);
  expect(await find({})).toMatchObject({ serverVersion: '1.29.1', source: 'cache' });
  expect(requested).toHaveLength(1);
});

test('a download that is not the published file is thrown away', async () => {
  const said: string[] = [];
  const failed = find({ sha256: '0'.repeat(64), say: (line) => said.push(line) });
  await expect(failed).rejects.toThrow(/published SHA-256.*Go is not installed.*set TEMPORAL_CLI/s);
  expect(said.join()).toContain('thrown away');
  expect(existsSync(join(folder, 'tradeguard', 'bin', 'temporal-1.5.1'))).toBe(false);
});

test('a binary on the PATH is taken before anything is downloaded', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'temporal'), FAKE, { mode: 0o755 });
  expect(await find({ env: { PATH: bin } })).toMatchObject({ source: 'PATH', path: join(bin, 'temporal') });
  expect(requested).toEqual([]);
});

test('a TEMPORAL_CLI that does not work is an error, not a reason to take another', async () => {
  await expect(find({ env: { TEMPORAL_CLI: '/bin/cat' } })).rejects.toThrow(
    /TEMPORAL_CLI=\/bin\/cat is no Temporal CLI/,
  );
  expect(requested).toEqual([]);
});
