import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { configurationVariables } from '../../platform/config.ts';
import { awsRule, cloudflareExpression, EDGE_ROUTES, nginxLines } from './allow-list.ts';
import { readDocument } from './document.ts';
import { brokenLinks, missingFiles, unknownRoutes, wrongErrorCodes, wrongVariables } from './facts.ts';

const PATH = 'docs/WAF.md';
const guide = readDocument(PATH);
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];
const ID = '0199aa00-0000-7000-8000-000000000001';

type Allows = (method: string, path: string) => boolean;

/** The block behind a mark, as it stands in the document. */
function made(name: string): string {
  const block = new RegExp(`<!-- made from the route table: ${name} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(
    guide.text,
  )?.[1];
  if (block === undefined) throw new Error(`the document has no block ${name}`);
  return block;
}

function nginxAllows(): Allows {
  const patterns = [...made('nginx').matchAll(/^ {2}"~(\S+ \S+)" 1;$/gm)].map(
    ([, pattern]) => new RegExp(pattern as string),
  );
  return (method, path) => patterns.some((pattern) => pattern.test(`${method} ${path}`));
}

function awsAllows(): Allows {
  const rules: ReturnType<typeof awsRule>[] = JSON.parse(made('aws'));
  const only = rules.find(({ Name }) => Name === 'only-routes');
  const routes = only?.Statement.NotStatement.Statement.OrStatement.Statements ?? [];
  const patterns = routes.map(({ AndStatement: { Statements } }) =>
    Statements.map(({ RegexMatchStatement }) => RegexMatchStatement.RegexString),
  );
  for (const one of patterns.flat()) expect(one.length, one).toBeLessThanOrEqual(200);
  const tests = patterns.map(([method = '', path = '']) => [new RegExp(method), new RegExp(path)] as const);
  return (method, path) => tests.some(([m, p]) => m.test(method) && p.test(path));
}

function cloudflareAllows(): Allows {
  const expression = made('cloudflare').trim();
  expect(expression.length).toBeLessThanOrEqual(4_096);
  const line = /\(http\.request\.method in \{([^}]+)\} and http\.request\.uri\.path matches r"([^"]+)"\)/g;
  const tests = [...expression.matchAll(line)].map(([, set = '', pattern = '']) => ({
    methods: [...set.matchAll(/"(\w+)"/g)].map(([, name]) => name),
    path: new RegExp(pattern),
  }));
  expect(expression).toMatch(/^not \(\n/);
  return (method, path) => tests.some(({ methods, path: pattern }) => methods.includes(method) && pattern.test(path));
}

describe('[N4] the positive lists of the WAF guide', () => {
  it('stand there as the route table makes them', async () => {
    const aws = JSON.parse(made('aws') || '[]') as { Name: string }[];
    const others = aws.filter(({ Name }) => Name !== 'only-routes');
    const fresh: Record<string, string> = {
      nginx: `map "$request_method $raw_path" $known_route {\n  default 0;\n  ${nginxLines().join('\n  ')}\n}\n`,
      aws: `${compactJson([awsRule(0), ...others])}\n`,
      cloudflare: `${cloudflareExpression()}\n`,
    };
    let text = guide.text;
    for (const [name, block] of Object.entries(fresh)) {
      const fence = new RegExp(`(<!-- made from the route table: ${name} -->\\n\`\`\`\\w+\\n)[\\s\\S]*?(\`\`\`)`);
      text = text.replace(fence, (_, head: string, tail: string) => head + block + tail);
    }
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(`../../${PATH}`, import.meta.url)));
  });

  const lists: [string, () => Allows][] = [
    ['nginx', nginxAllows],
    ['AWS WAF', awsAllows],
    ['Cloudflare', cloudflareAllows],
  ];
  it.each(lists)('%s: every route passes, every other method and path does not', (_, read) => {
    const allows = read();
    const samples = EDGE_ROUTES.map(({ method, path }) => ({ method, path: path.replaceAll(/\{\w+\}/g, ID) }));
    const routes = new Set(samples.map(({ method, path }) => `${method} ${path}`));
    const paths = new Set(samples.map(({ path }) => path));
    const isRoute = (method: string, path: string) => routes.has(`${method === 'HEAD' ? 'GET' : method} ${path}`);
    const wrong: string[] = [];
    for (const path of paths) {
      for (const method of METHODS) {
        // One route's placeholder may be another one's word: `sessions/{id}` covers nothing but one segment.
        const covered = EDGE_ROUTES.some(
          (route) =>
            route.method === (method === 'HEAD' ? 'GET' : method) &&
            new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
        );
        if (allows(method, path) !== (isRoute(method, path) || covered)) wrong.push(`${method} ${path}`);
      }
      for (const other of [`${path}/`, `${path}/x/y/z`, `/${path}`, `${path}%2e`, `x${path}`, `${path};a`]) {
        if (METHODS.some((method) => allows(method, other))) wrong.push(other);
      }
    }
    expect(wrong).toEqual([]);
    for (const path of ['/.env', '/api', '/api/admin', '/api/../metrics', '/web/../x', '/API/health', '/index.html']) {
      expect(
        METHODS.filter((method) => allows(method, path)),
        path,
      ).toEqual([]);
    }
  });

  it('are followed by rules of AWS that are whole: priorities differ, actions and metrics are there', () => {
    const rules = JSON.parse(made('aws')) as Record<string, unknown>[];
    expect(rules.length).toBeGreaterThan(2);
    expect(new Set(rules.map(({ Priority }) => Priority)).size).toBe(rules.length);
    for (const rule of rules) {
      expect(rule).toMatchObject({
        Name: expect.any(String),
        Statement: expect.any(Object),
        VisibilityConfig: expect.any(Object),
      });
      expect(Object.keys(rule).filter((key) => key === 'Action' || key === 'OverrideAction')).toHaveLength(1);
    }
  });
});

describe('[N4] what else the WAF guide says', () => {
  it('leads to files, routes, variables and errors that exist', () => {
    expect(brokenLinks(guide)).toEqual([]);
    expect(missingFiles(guide)).toEqual([]);
    expect(unknownRoutes({ ...guide, text: guide.prose })).toEqual([]);
    expect(wrongVariables(guide)).toEqual([]);
    expect(wrongErrorCodes(guide)).toEqual([]);
  });

  it('limits bodies to what the API reads, and rates above the API’s own', () => {
    const app = readFileSync(new URL('../../api/app.ts', import.meta.url), 'utf8');
    const kib = Number(/BODY_LIMIT = '(\d+)kb'/.exec(app)?.[1]);
    expect(guide.text).toContain(`client_max_body_size ${kib}k;`);
    expect(guide.text).toContain(`SecRequestBodyLimit ${kib * 1024}\n`);
    expect(guide.text).toContain(`at most ${kib} KiB of a body`);
    const ours = Number(configurationVariables().find(({ name }) => name === 'RATE_LIMIT_PER_MINUTE')?.fallback);
    const rates = [
      ...[...guide.text.matchAll(/rate=(\d+)r\/m/g)].map(([, rate]) => Number(rate)),
      ...[...guide.text.matchAll(/above (\d+) requests a minute/g)].map(([, rate]) => Number(rate)),
      ...[...made('aws').matchAll(/"Limit": (\d+)/g)].map(([, rate]) => Number(rate)),
    ];
    expect(rates.length).toBeGreaterThan(4);
    for (const rate of rates) expect(rate).toBeGreaterThan(ours);
  });

  it('excludes members of bodies that the API has', () => {
    const document = readFileSync(new URL('../../api/input.ts', import.meta.url), 'utf8');
    const sources = ['register', 'login', 'password', 'incidents', 'reviews', 'device-input', 'mfa', 'accounts']
      .map((name) => readFileSync(new URL(`../../api/${name}.ts`, import.meta.url), 'utf8'))
      .join('\n');
    const named = [...guide.text.matchAll(/!ARGS:(?:\/\^)?json\\?\.([\w.\\]+)/g)].map(([, name]) =>
      name?.split(/\\?\./).at(-1),
    );
    expect(named.length).toBeGreaterThan(10);
    for (const name of named) expect(document + sources, name).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

/** JSON in which what fits on a line stands on one. */
function compactJson(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ');
  if (indent.length + flat.length <= 120 || typeof value !== 'object' || value === null) return flat;
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const members = Array.isArray(value)
    ? value.map((member) => compactJson(member, inner))
    : Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${compactJson(member, inner)}`);
  return `${open}\n${members.map((member) => inner + member).join(',\n')}\n${indent}${close}`;
}
