import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-demo-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function demo(env: Record<string, string>): Promise<{ code: number | null; printed: string; seconds: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../cli/tradeguard.ts'), 'demo'], {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, printed, seconds: (performance.now() - started) / 1000 };
}

/** Command lines of running processes that name the folder: whatever the demo left behind. */
function leftRunning(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(folder));
}

describe('the demo', () => {
  it('tells the whole story without a terminal, within two minutes, and leaves nothing behind', async () => {
    const { code, printed, seconds } = await demo({});
    expect(printed, printed).toContain('Everything went as told');
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(120);
    expect(printed).not.toContain('\u001b[');
    expect(printed).toMatch(
      /403 login_denied[\s\S]*202 step_up_required[\s\S]*202 quarantined[\s\S]*423[\s\S]*: valid\.[\s\S]*not valid/,
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(leftRunning()).toEqual([]);
  });

  it('fails, and still cleans up, when a step is not as told', async () => {
    const { code, printed } = await demo({ LOCKOUT_THRESHOLD: '50' });
    expect(printed).toMatch(/FAIL The API answered 401 invalid_credentials instead of 423/);
    expect(code).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
    expect(leftRunning()).toEqual([]);
  });
});
