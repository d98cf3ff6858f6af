import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSecretFiles } from '../../cli/secret-files.ts';
import { ConfigError, configurationVariables, loadConfig } from '../../platform/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = [
  'activities',
  'api',
  'cli',
  'db',
  'domain',
  'platform',
  'security',
  'temporal',
  'workers',
  'workflows',
];
const documented = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');

/** The cells of every table row that begins with a variable. */
const tableRows = [...documented.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|(.*)\|$/gm)].map((match) => {
  const [, name = '', rest = ''] = match;
  return { name, cells: rest.split('|').map((cell) => cell.trim()) };
});
const ofConfiguration = tableRows.filter(({ cells }) => cells.length === 4);
const ofCommands = tableRows.filter(({ cells }) => cells.length === 2);

/** A default as the document writes it: code, `none` for an empty list, a dash for none at all. */
const written = (value: string | undefined): string =>
  value === undefined ? '-' : value === '' || value === ',' ? 'none' : `\`${value}\``;

const complete = {
  DATABASE_URL: 'postgresql://app:pw@db.internal:5432/tradeguard',
  SESSION_SECRET: 'a session secret of more than 32 characters',
  ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
  AUDIT_KEY: Buffer.alloc(32, 2).toString('base64'),
  TEMPORAL_ADDRESS: 'temporal.internal:7233',
  PUBLIC_ORIGIN: 'https://trade.example.com',
  SMTP_URL: 'smtps://user:pw@mail.example.com:465',
};

/** Whether the program starts without this variable. */
function isNeeded(name: string, production: boolean): boolean {
  try {
    loadConfig({ ...complete, [name]: undefined, ...(production ? { NODE_ENV: 'production' } : {}) });
    return false;
  } catch (error) {
    if (error instanceof ConfigError) return true;
    throw error;
  }
}

describe('[C9] docs/configuration.md', () => {
  it('lists every variable of the configuration, once, and no other', () => {
    expect(ofConfiguration.map(({ name }) => name).sort()).toEqual(
      configurationVariables()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it.each(configurationVariables())(
    '$name: its defaults are those of the program, and it has a meaning',
    (variable) => {
      const row = ofConfiguration.find(({ name }) => name === variable.name);
      const [fallback, inProduction, , meaning = ''] = row?.cells ?? [];
      expect([fallback, inProduction]).toEqual([written(variable.fallback), written(variable.inProduction)]);
      expect(meaning.length).toBeGreaterThan(10);
    },
  );

  it.each(ofConfiguration)('$name: required exactly where the program asks for it', ({ name, cells }) => {
    const required = cells[2] ?? '';
    // One of the two keys suffices, so leaving the other out is no fault.
    if (name === 'ENCRYPTION_PASSPHRASE') return expect(required).toBe('yes, or the key');
    const always = isNeeded(name, false);
    const there = isNeeded(name, true);
    expect(/^(yes|production|no)/.exec(required)?.[1]).toBe(always ? 'yes' : there ? 'production' : 'no');
  });

  it('lists whatever else is read from the environment', () => {
    const read = new Set(
      SOURCES.flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
          .filter((path) => path.endsWith('.ts'))
          .flatMap((path) =>
            [...readFileSync(join(ROOT, folder, path), 'utf8').matchAll(/\benv\.([A-Z][A-Z0-9_]+)/g)].map(
              (match) => match[1] as string,
            ),
          ),
      ),
    );
    const known = new Set(tableRows.map(({ name }) => name));
    expect([...read].filter((name) => !known.has(name))).toEqual([]);
    expect(ofCommands.map(({ name }) => name)).toContain('DATABASE_ADMIN_URL');
  });
});

describe('[C5] [C6] a start with a bad configuration', () => {
  it.each(['api', 'worker'])('%s ends at once, names every fault and no value', (command) => {
    const value = `not-a-url-${randomUUID()}`;
    let output = '';
    try {
      execFileSync(process.execPath, [join(ROOT, 'cli/bin.js'), command], {
        encoding: 'utf8',
        stdio: 'pipe',
        timeout: 30_000,
        env: { PATH: process.env.PATH, NODE_ENV: 'production', DATABASE_URL: value, SESSION_SECRET: 'short' },
      });
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
      expect(status).toBe(1);
      output = stdout + stderr;
    }
    for (const name of ['DATABASE_URL', 'SESSION_SECRET', 'AUDIT_KEY', 'ENCRYPTION_PASSPHRASE', 'TEMPORAL_ADDRESS'])
      expect(output).toContain(`${name}`);
    for (const name of ['PUBLIC_ORIGIN', 'SMTP_URL']) expect(output).toContain(name);
    expect(output).not.toContain(value);
    expect(output).not.toContain('short.');
    expect(output).not.toMatch(/^\s+at /m);
  });
});

describe('[C6] secrets from files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-secret-files-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (content: string): string => {
    const path = join(folder, randomUUID());
    writeFileSync(path, content);
    return path;
  };
  const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
    try {
      readSecretFiles(env);
      return [];
    } catch (error) {
      return (error as ConfigError).problems;
    }
  };

  it('NAME_FILE is NAME, without the line break at its end', () => {
    const found = readSecretFiles({ SESSION_SECRET_FILE: file('a secret \n'), DATABASE_ADMIN_URL_FILE: file('url') });
    expect(found).toEqual({ SESSION_SECRET: 'a secret ', DATABASE_ADMIN_URL: 'url' });
  });

  it('both forms, and a file that is not there, are refused without telling a content', () => {
    const both = problemsOf({ AUDIT_KEY: 'x', AUDIT_KEY_FILE: file('hidden') });
    expect(both).toEqual(['AUDIT_KEY and AUDIT_KEY_FILE are both set. Unset one: which of them counts must be plain.']);
    expect(problemsOf({ AUDIT_KEY_FILE: join(folder, 'none') })).toEqual([
      `AUDIT_KEY_FILE: ${join(folder, 'none')} cannot be read (ENOENT).`,
    ]);
  });

  it('nothing but known variables is read from files', () => {
    expect(readSecretFiles({ PATH_FILE: file('x'), NODE_OPTIONS_FILE: file('x') })).toEqual({});
  });
});
