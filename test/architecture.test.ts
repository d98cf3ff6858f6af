import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * Who may import whom. Every folder that holds TypeScript has a row; what a row does not list is forbidden.
 * Paths are folders, or single files where only those may be seen.
 */
interface Layer {
  /** Project paths it may import values and types from. */
  readonly values: readonly string[];
  /** Project paths it may import types from, on top. */
  readonly types?: readonly string[];
  /** Packages it may import values from; types of a package are free where `packages` is not empty. */
  readonly packages: readonly RegExp[];
  /** Packages it may not even import types from. */
  readonly notPackages?: readonly RegExp[];
}

const ANY = [/^/];
/** What runs inside the workflow sandbox or the worker; the request path has no business with it. */
const WORKER_PACKAGES = [/^@temporalio\/(worker|workflow|activity|testing)$/];
const NO_PACKAGE = [/^/];

const LAYERS: Readonly<Record<string, Layer>> = {
  domain: { values: ['domain'], types: ['security'], packages: [], notPackages: NO_PACKAGE },
  security: {
    values: ['security'],
    types: ['domain'],
    packages: [/^node:(crypto|util)$/, /^@node-rs\/argon2$/, /^otpauth$/],
  },
  workflows: {
    values: ['workflows', 'domain'],
    types: ['activities'],
    packages: [/^@temporalio\/(workflow|common)$/],
    notPackages: [/^node:/, /^zod/],
  },
  activities: {
    values: ['activities', 'domain', 'security', 'db', 'platform'],
    types: ['workflows', 'temporal'],
    packages: [/^(?!express$|@temporalio\/(client|worker|workflow|testing)$)/],
    notPackages: [/^express$/],
  },
  api: {
    values: [
      'api',
      'domain',
      'security',
      'db',
      'platform',
      'workflows/contract.ts',
      'workflows/search-attributes.ts',
      'temporal/connection.ts',
      'temporal/pollers.ts',
    ],
    packages: ANY,
    notPackages: WORKER_PACKAGES,
  },
  db: { values: ['db', 'domain', 'security'], types: ['platform'], packages: [/^(?!express$|zod$|@temporalio\/)/] },
  temporal: {
    values: ['temporal', 'domain', 'security', 'platform', 'workflows/search-attributes.ts'],
    types: ['db', 'workflows'],
    packages: [/^(?!express$)/],
  },
  platform: { values: ['platform', 'domain'], types: ['security'], packages: [/^(?!express$|@mikro-orm\/)/] },
  workers: {
    values: ['workers', 'activities', 'workflows', 'domain', 'security', 'db', 'temporal', 'platform'],
    packages: ANY,
    notPackages: [/^express$/],
  },
  client: { values: ['client'], types: ['api', 'domain'], packages: [/^node:/] },
  web: { values: ['web', 'client'], types: ['api', 'domain'], packages: ANY, notPackages: WORKER_PACKAGES },
  // An implementation of its own: what checks the server must not err with it.
  verifier: { values: ['verifier'], packages: [/^node:/] },
  cli: { values: [''], packages: ANY },
  bench: { values: [''], packages: ANY },
  test: { values: [''], packages: ANY },
};

/** The entry points: they read the configuration, build the dependencies and hand them on. */
const isEntryPoint = (path: string) => /^[a-z]+\/main\.ts$/.test(path) || path.startsWith('cli/');
const isOutsideProduct = (path: string) => /^(test|bench)\//.test(path) || path === 'vitest.config.ts';

/** The supervisor of `npm start` makes the environment its children get, and parses it once to say early what is wrong. */
const parsesConfiguration = (path: string) =>
  isEntryPoint(path) || isOutsideProduct(path) || path === 'platform/supervisor.ts';

/** Single files that may use packages their folder may not. */
const FILE_PACKAGES: Readonly<Record<string, RegExp>> = {
  // The language of rules: pure, without dependencies.
  'domain/risk/expression.ts': /^@marcbachmann\/cel-js$/,
  // The list of breached passwords comes as a data file in a package.
  'security/common-passwords.ts': /^node:(fs|module)$/,
};

/**
 * They read what the machine says (PATH, HOME, whether npm started us) to run other programs, or say to a library in which
 * mode it runs; no setting of ours.
 */
const READS_SURROUNDINGS =
  /^(platform\/(local-postgres|local-temporal|postgres-binaries|stop-signals|temporal-cli)|web\/build)\.ts$/;

const FORBIDDEN_NAME = /^(.*-)?(utils?|helpers?|managers?|misc)$|^(common|shared|services?|lib)$/;
const MAX_LINES = 400;
const ROOT = join(import.meta.dirname, '..');

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** Nothing is loaded for it. A clause of nothing but `type` names is loaded all the same. */
  readonly erased: boolean;
  /** Named imports, without `type` ones; empty for namespace, default and side-effect imports. */
  readonly names: readonly string[];
}

/** The imports and re-exports of a source. Top-level statements start in the first column: Biome sees to that. */
function importsOf(source: string): Import[] {
  const clause = String.raw`(?<clause>[\w$*\s{},]+?)\s*from\s*`;
  const statement = new RegExp(String.raw`^(?:import|export)\s+(?<type>type\s+)?(?:${clause})?'(?<from>[^']+)'`, 'gm');
  const found: Import[] = [];
  for (const { groups } of source.matchAll(statement)) {
    const text = groups?.clause ?? '';
    const braces = /^\{([\s\S]*)\}$/.exec(text.trim())?.[1];
    const members = (braces ?? '').split(',').map((member) => member.trim());
    const named = members.filter((member) => member !== '');
    const names = named.filter((member) => !member.startsWith('type ')).map((member) => member.split(/\s/)[0] ?? '');
    const typeOnly = groups?.type !== undefined || (named.length > 0 && names.length === 0);
    found.push({ specifier: groups?.from ?? '', typeOnly, erased: groups?.type !== undefined, names });
  }
  for (const match of source.matchAll(/(?<![\w.])(?:import|require)\(\s*(?:(['"`])([^'"`$]+)\1)?/g)) {
    found.push({ specifier: match[2] ?? 'computed', typeOnly: false, erased: false, names: [] });
  }
  return found;
}

/** Everything that is wrong with one file, given its path from the project's root (with `/`) and its text. */
function violations(path: string, source: string): string[] {
  const folder = path.includes('/') ? (path.split('/')[0] ?? '') : '';
  const layer = LAYERS[folder];
  const found = [...nameViolations(path), ...codeViolations(path, folder, source)];
  const lines = source.trimEnd().split('\n').length;
  if (lines > MAX_LINES) found.push(`${lines} lines, more than ${MAX_LINES}`);
  if (!layer) return folder === '' ? found : [...found, `folder ${folder} has no row in the import table`];

  for (const item of importsOf(source)) {
    const problem = item.specifier.startsWith('.')
      ? projectImportViolation(path, layer, item)
      : packageImportViolation(path, layer, item);
    if (problem) found.push(problem);
  }
  return found;
}

function nameViolations(path: string): string[] {
  const [folder, ...rest] = path.split('/');
  const names = rest.map((segment) => segment.replace(/(\.test|\.d)?\.tsx?$/, ''));
  const judged = folder === 'test' && names[0] === 'helpers' ? names.slice(1) : names;
  return judged.filter((name) => FORBIDDEN_NAME.test(name)).map((name) => `the name ${name} says nothing`);
}

function codeViolations(path: string, folder: string, source: string): string[] {
  const found: string[] = [];
  const readsEnvironment = /\bprocess\.env\b/.test(source);
  if (readsEnvironment && !isEntryPoint(path) && !isOutsideProduct(path) && !READS_SURROUNDINGS.test(path)) {
    found.push('reads process.env');
  }
  if (folder === 'domain') {
    const impure = source.match(
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\b\.|\bfetch\(|\bset(Timeout|Interval|Immediate)\b|\bconsole\.|\bcrypto\./,
    );
    if (impure) found.push(`is not pure: ${impure[0]}`);
  }
  return found;
}

function projectImportViolation(path: string, layer: Layer, { specifier, typeOnly }: Import): string | null {
  const target = posix.join(posix.dirname(path), specifier);
  const within = (allowed: string) => allowed === '' || target === allowed || target.startsWith(`${allowed}/`);
  if (target === 'platform/config.ts' && !typeOnly) {
    return parsesConfiguration(path) ? null : 'reads the configuration instead of being handed it';
  }
  if (isEntryPoint(path) && !target.startsWith('activities/')) return null;
  if (layer.values.some(within)) return null;
  if (layer.types?.some(within)) return typeOnly ? null : `imports values of ${target}, types only are allowed`;
  return `imports ${target}`;
}

function packageImportViolation(path: string, layer: Layer, { specifier, typeOnly, names }: Import): string | null {
  const matches = (patterns: readonly RegExp[] = []) => patterns.some((pattern) => pattern.test(specifier));
  if (FILE_PACKAGES[path]?.test(specifier)) return null;
  if (matches(layer.notPackages)) return `imports ${specifier}`;
  if (!typeOnly && !matches(layer.packages)) return `imports values of ${specifier}`;
  if (path.startsWith('api/') && specifier === '@temporalio/client' && !typeOnly) {
    // To recognise one of the client's errors is not to use the client.
    const errorsOnly = names.length > 0 && names.every((name) => name.endsWith('Error'));
    if (path !== 'api/temporal-gateway.ts' && !errorsOnly) return 'uses the Temporal client beside the gateway';
  }
  return null;
}

function typescriptFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      // Dot folders hold caches and local data, and web/dist what was built.
      return /^(node_modules|\..*|dist.*)$/.test(entry.name) ? [] : typescriptFiles(path);
    }
    return /\.tsx?$/.test(entry.name) && statSync(path).isFile() ? [relative(ROOT, path).split(sep).join('/')] : [];
  });
}

describe('the import table', () => {
  const files = typescriptFiles(ROOT);

  it('sees the code', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(new Set(files.map((path) => path.split('/')[0]))).toContain('domain');
    const imports = files.flatMap((path) => importsOf(readFileSync(join(ROOT, path), 'utf8')));
    expect(imports.length).toBeGreaterThan(files.length);
  });

  it('is kept by every file', () => {
    // This file's own samples of what is forbidden are strings, not imports; nothing is left out.
    const broken = files.flatMap((path) =>
      violations(path, readFileSync(join(ROOT, path), 'utf8')).map((problem) => `${path}: ${problem}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('a thread of the verification', () => {
  /** What a file loads, and what that loads: project paths and packages. */
  function loadedBy(path: string, seen = new Set<string>()): Set<string> {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const { specifier, erased } of importsOf(readFileSync(join(ROOT, path), 'utf8'))) {
      if (erased) continue;
      if (specifier.startsWith('.')) loadedBy(posix.join(posix.dirname(path), specifier), seen);
      else seen.add(specifier);
    }
    return seen;
  }
  const packagesOf = (path: string) => [...loadedBy(path)].filter((name) => !/\.ts$|^node:/.test(name));

  it('loads the database client alone: a query builder would take longer than 15,000 entries', () => {
    expect(packagesOf('db/audit-check-thread.ts')).toEqual(['pg']);
    expect(packagesOf('db/audit-verify.ts')).toContain('kysely');
  });
});

describe('the check itself', () => {
  const from = (specifier: string, what = '{ x }') => ['import ', what, ' from ', `'${specifier}'`, ';\n'].join('');

  it.each([
    ['domain/a.ts', from('node:fs')],
    ['domain/a.ts', from('zod', 'type { z }')],
    ['domain/a.ts', from('../db/orm.ts', 'type { Orm }')],
    ['domain/a.ts', from('../security/totp.ts')],
    ['domain/risk/a.ts', from('../../platform/logger.ts')],
    ['domain/a.ts', 'const now = Date.now();'],
    ['domain/a.ts', 'const dice = Math.random();'],
    ['security/a.ts', from('../domain/errors.ts')],
    ['security/a.ts', from('express')],
    ['security/a.ts', from('node:fs')],
    ['workflows/a.ts', from('zod', '* as z')],
    ['workflows/a.ts', from('node:crypto')],
    ['workflows/a.ts', from('../activities/login.ts')],
    ['workflows/a.ts', from('@temporalio/client')],
    ['workflows/a.ts', from('../db/orm.ts', 'type { Orm }')],
    ['api/a.ts', from('../activities/login.ts', 'type { Login }')],
    ['api/a.ts', from('../workflows/login.ts')],
    ['api/a.ts', from('../temporal/data-converter.ts')],
    ['api/a.ts', from('@temporalio/worker')],
    ['api/a.ts', from('@temporalio/client', '{ Client, ServiceError }')],
    ['api/main.ts', from('../activities/index.ts')],
    ['activities/a.ts', from('../workflows/contract.ts')],
    ['activities/a.ts', from('express', 'type { Request }')],
    ['activities/a.ts', from('../api/app.ts')],
    ['db/a.ts', from('../api/app.ts', 'type { App }')],
    ['platform/a.ts', from('../db/orm.ts')],
    ['workers/a.ts', from('../api/app.ts')],
    ['api/a.ts', from('../platform/config.ts')],
    ['api/a.ts', "const key = process.env.KEY ?? '';"],
    ['platform/config.ts', 'const key = process.env;'],
    ['domain/a.ts', ['export * from ', "'node:fs';"].join('')],
    ['domain/a.ts', ['import ', "'node:fs';"].join('')],
    ['domain/a.ts', ['const fs = await import', "('node:fs');"].join('')],
    ['domain/a.ts', ['const fs = await import', '(name);'].join('')],
    ['domain/a.ts', from('node:fs', '{\n  type Stats,\n  readFileSync,\n}')],
    ['api/utils.ts', ''],
    ['api/session-manager.ts', ''],
    ['db/common/a.ts', ''],
    ['api/helpers/a.ts', ''],
    ['api/a.ts', 'x;\n'.repeat(MAX_LINES + 1)],
    ['lib/a.ts', ''],
    ['stray/a.ts', ''],
    ['verifier/a.ts', from('../security/audit-chain.ts')],
    ['verifier/a.ts', from('canonicalize')],
  ])('finds fault with %s holding %j', (path, source) => {
    expect(violations(path, source)).toHaveLength(1);
  });

  it.each([
    ['domain/risk/a.ts', from('../money.ts')],
    ['domain/a.ts', from('../security/totp.ts', 'type { Totp }')],
    ['security/a.ts', from('node:crypto') + from('otpauth')],
    ['workflows/a.ts', from('../activities/index.ts', 'type { Activities }') + from('@temporalio/workflow')],
    ['activities/a.ts', from('../workflows/contract.ts', '{ type LoginInput, type LoginVerdict }')],
    ['api/temporal-gateway.ts', from('@temporalio/client', '{ Client }')],
    ['api/a.ts', from('@temporalio/client', '{ isGrpcServiceError, ServiceError }')],
    ['api/a.ts', from('../platform/config.ts', 'type { Config }') + from('../workflows/contract.ts')],
    ['api/main.ts', `${from('../platform/config.ts')}const { env } = process;\nconst key = process.env.KEY;`],
    ['cli/a.ts', from('../activities/index.ts', '{ createActivities }').replace('../activities', '../api')],
    ['security/common-passwords.ts', ''],
    ['test/helpers/a.ts', from('../../api/app.ts')],
    ['vitest.config.ts', from('vitest/config')],
  ])('finds none with %s holding %j', (path, source) => {
    expect(violations(path, source)).toEqual([]);
  });
});
