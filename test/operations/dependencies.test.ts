import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;
type Versions = Record<string, string>;
interface Package {
  version?: string;
  dev?: boolean;
  resolved?: string;
  integrity?: string;
  dependencies?: Versions;
  devDependencies?: Versions;
  optionalDependencies?: Versions;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package & { scripts: Versions };
const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Package>;
};
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

describe('[O5] versions', () => {
  it('package.json names exact ones, no ranges', () => {
    for (const kind of KINDS)
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) expect(version, name).toMatch(EXACT);
  });

  it('package-lock.json is in step with package.json, and every package in it has a checksum', () => {
    for (const kind of KINDS) {
      expect(packages['']?.[kind] ?? {}).toEqual(manifest[kind] ?? {});
      for (const [name, version] of Object.entries(manifest[kind] ?? {}))
        expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
    for (const [path, { integrity }] of Object.entries(packages))
      if (path !== '') expect(integrity, path).toMatch(/^sha512-/);
  });

  it('@mikro-orm and @temporalio are of one version each', () => {
    for (const scope of ['@mikro-orm/', '@temporalio/']) {
      const versions = Object.entries(packages).flatMap(([path, { version }]) =>
        path.startsWith(`node_modules/${scope}`) && !path.includes('/node_modules/', 1) ? [version] : [],
      );
      expect(new Set(versions).size, scope).toBe(1);
    }
  });
});

describe('[O5] a production install', () => {
  it('has no development packages: what npm would install is what production code needs', () => {
    const listed = spawnSync('npm', ['ls', '--omit=dev', '--all', '--parseable', '--package-lock-only'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const names = listed.stdout.split('\n').flatMap((line) => line.split('/node_modules/').slice(1).at(-1) ?? []);
    expect(names.length).toBeGreaterThan(100);
    for (const name of Object.keys(manifest.devDependencies ?? {})) {
      const isNeededToo = packages[`node_modules/${name}`]?.dev !== true;
      if (!isNeededToo) expect(names, name).not.toContain(name);
    }
    for (const name of ['vitest', 'typescript', '@biomejs/biome', '@temporalio/testing', 'dclint'])
      expect(names).not.toContain(name);
  });

  it('has whatever the program imports', () => {
    const needed = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.optionalDependencies ?? {}),
    ]);
    const files = execFileSync('git', ['ls-files', '*.ts'], { cwd: ROOT, encoding: 'utf8' })
      .split('\n')
      .filter((path) => /^(activities|api|cli|db|domain|platform|security|temporal|workers|workflows)\//.test(path))
      .filter((path) => existsSync(join(ROOT, path)));
    expect(files.length).toBeGreaterThan(100);
    for (const path of files) {
      const source = readFileSync(join(ROOT, path), 'utf8');
      for (const [, clause = '', specifier = ''] of source.matchAll(/^import (type )?[^;]*?from '([^'.][^']*)';$/gm)) {
        if (clause !== '' || specifier.startsWith('node:')) continue;
        const name = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/');
        expect(needed, `${path}: ${specifier}`).toContain(name);
      }
    }
  });

  it('has only licences that somebody accepted', () => {
    const { status, stdout } = spawnSync(process.execPath, ['.ci/dependencies.mjs', 'licences'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(status, stdout).toBe(0);
    expect(stdout).toContain('MIT: ');
    expect(stdout).toContain('Licences that nobody accepted: none');
  });
});

describe('[O5] npm run audit, npm run outdated', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-npm-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a report with an `npm` that answers so. */
  function report(command: string, npm: { says: string; code: number; complains?: string }) {
    const script = `#!/bin/sh\ncat <<'END'\n${npm.says}\nEND\n${npm.complains ? `echo '${npm.complains}' >&2\n` : ''}exit ${npm.code}\n`;
    writeFileSync(join(folder, 'npm'), script);
    chmodSync(join(folder, 'npm'), 0o755);
    return spawnSync(process.execPath, ['.ci/dependencies.mjs', command], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { PATH: `${folder}${delimiter}${process.env.PATH}` },
    });
  }
  const counts = (high: number) =>
    JSON.stringify({
      vulnerabilities: {},
      metadata: { vulnerabilities: { low: 0, moderate: 0, high, critical: 0, total: high } },
    });

  it.each(['audit', 'outdated'])('%s: a registry that cannot answer is unknown, not zero', (command) => {
    const answers = [
      { says: '{"message":"405 Method Not Allowed","error":{"summary":"","detail":""}}', code: 1 },
      { says: '{"error":{"code":"ENOTFOUND","summary":"getaddrinfo failed"}}', code: 1 },
      { says: 'no JSON', code: 1 },
      { says: '{}', code: 1, complains: 'npm error code ECONNREFUSED' },
    ];
    for (const answer of answers) {
      const { status, stdout } = report(command, answer);
      expect(status, JSON.stringify(answer)).toBe(2);
      expect(stdout).toMatch(/unknown .*Unknown is not zero\./);
      expect(stdout).not.toMatch(/: 0$/m);
    }
  });

  it('audit: none is 0, a grave one is 1', () => {
    expect(report('audit', { says: counts(0), code: 0 })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(': 0'),
    });
    expect(report('audit', { says: counts(2), code: 1 })).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(': 2'),
    });
  });

  it('outdated: lists what is newer', () => {
    const says = '{"zod":{"current":"4.6.7","wanted":"4.6.7","latest":"5.0.0"}}';
    const { status, stdout } = report('outdated', { says, code: 1 });
    expect(status).toBe(0);
    expect(stdout).toContain('zod: 4.6.7 here, 5.0.0 published');
    expect(report('outdated', { says: '{}', code: 0 }).stdout).toContain('Outdated packages: 0');
  });
});
