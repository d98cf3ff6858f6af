import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

// Compilers and linters, twice each.
vi.setConfig({ testTimeout: 180_000 });

const ROOT = join(import.meta.dirname, '../..');
/** What the checks look at in this test: some folders are enough to see that they find what is wrong. */
const COPIED = [
  ...['package.json', 'biome.json', '.gitignore', 'tsconfig.json', 'docker-compose.yaml', '.dclintrc.json'],
  ...[
    'domain',
    'security',
    'workflows',
    'temporal',
    'activities',
    'db',
    'platform',
    'workers',
    'docker',
    'web',
    'client',
  ],
];
let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'tradeguard-checks-'));
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function npmRun(script: string) {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', script], { cwd: copy, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('[O9] npm run check', () => {
  it('is lint, type check, build and the check of docker-compose.yaml, and CI runs all four', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const parts = ['lint', 'typecheck', 'check:build', 'check:compose'];
    expect(scripts.check).toBe(parts.map((script) => `npm run ${script}`).join(' && '));
    const ci = readFileSync(join(ROOT, '.ci/run'), 'utf8');
    for (const script of parts) {
      expect(scripts).toHaveProperty(script);
      expect(ci).toMatch(new RegExp(`^check npm run ${script}$`, 'm'));
    }
  });

  it.each([
    ['lint', 'domain/time.ts', (text: string) => `${text}\nvar unused = 1 == 1;\n`, /noDoubleEquals|noVar/],
    ['typecheck', 'domain/time.ts', (text: string) => `${text}\nexport const wrong: number = 'text';\n`, /TS2322/],
    ['typecheck', 'web/theme.ts', (text: string) => `${text}\nexport const wrong: number = 'text';\n`, /TS2322/],
    ['check:build', 'workflows/index.ts', (text: string) => `${text}\nimport 'node:fs';\n`, /fs/],
    [
      'check:compose',
      'docker-compose.yaml',
      (text: string) => text.replace('services:', 'service:'),
      /ComposeValidationError/,
    ],
  ])('%s passes, and fails for what is wrong in %s', (script, file, spoil, said) => {
    expect(npmRun(script)).toMatchObject({ status: 0 });
    const path = join(copy, file);
    const sound = readFileSync(path, 'utf8');
    writeFileSync(path, spoil(sound));
    try {
      const { status, output } = npmRun(script);
      expect(status).not.toBe(0);
      expect(output).toMatch(said);
    } finally {
      writeFileSync(path, sound);
    }
  });
});
