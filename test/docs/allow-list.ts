import { AUTHORIZATION } from '../helpers/authorization-table.ts';

/**
 * What one placeholder of a path stands for at the edge: any single segment without an encoded character. The API itself
 * is stricter (ids are UUIDs).
 */
export const SEGMENT = '[A-Za-z0-9._-]+';

/** Most characters of one regular expression that AWS WAF takes: its schema says 512, its quota, which cannot be raised, 200. */
const AWS_LIMIT = 200;

export interface EdgeRoute {
  method: string;
  /** As the route table has it, with `{placeholders}`. */
  path: string;
}

/** Every route of the table; a GET is also a HEAD. */
export const EDGE_ROUTES: readonly EdgeRoute[] = Object.keys(AUTHORIZATION).map((route) => {
  const [method = '', path = ''] = route.split(' ');
  return { method, path };
});

/** An anchored regular expression for one path, in the syntax that PCRE, RE2 and JavaScript share. */
export function pathPattern(path: string): string {
  const text = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, () => SEGMENT);
  return `^${text}$`;
}

/** `METHOD /path` patterns, one line a route: what the map of the nginx example holds. */
export function nginxLines(): string[] {
  return EDGE_ROUTES.map(({ method, path }) => {
    const methods = method === 'GET' ? '(?:GET|HEAD)' : method;
    return `"~^${methods} ${pathPattern(path).slice(1)}" 1;`;
  });
}

interface Node {
  end: boolean;
  children: Map<string, Node>;
}

/** One expression for all paths of a method: common beginnings are written once. Several, where one would be too long. */
export function methodPatterns(method: string, limit = AWS_LIMIT): string[] {
  const paths = EDGE_ROUTES.filter((route) => route.method === method).map(({ path }) => path);
  const patterns: string[] = [];
  let group: string[] = [];
  for (const path of paths) {
    if (compact([...group, path]).length > limit) {
      patterns.push(compact(group));
      group = [];
    }
    group.push(path);
  }
  return group.length === 0 ? patterns : [...patterns, compact(group)];
}

function compact(paths: readonly string[]): string {
  const root: Node = { end: false, children: new Map() };
  for (const path of paths) {
    let node = root;
    for (const segment of path.slice(1).split('/')) {
      const text = pathPattern(segment).slice(1, -1);
      const next = node.children.get(text) ?? { end: false, children: new Map() };
      node.children.set(text, next);
      node = next;
    }
    node.end = true;
  }
  return `^${rest(root)}$`;
}

/** What may follow a node: nothing where a path ends there, else `/segment` and what follows that. */
function rest(node: Node): string {
  const choices = [...node.children].map(([segment, child]) => `/${segment}${rest(child)}`);
  if (choices.length === 0) return '';
  const [first = ''] = choices;
  const choice = choices.length === 1 && !node.end ? first : `(?:${choices.join('|')})`;
  return node.end ? `(?:${choices.join('|')})?` : choice;
}

const HEAD_TOO = (method: string): string => (method === 'GET' ? 'GET|HEAD' : method);
const METHODS = [...new Set(EDGE_ROUTES.map(({ method }) => method))];
const NO_CHANGE = [{ Priority: 0, Type: 'NONE' }];
const VISIBLE = (name: string) => ({ SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true, MetricName: name });

/** The rule of AWS WAF that blocks what is no route: method and raw path by regular expressions. */
export function awsRule(priority: number) {
  const regex = (field: object, pattern: string) => ({
    RegexMatchStatement: { FieldToMatch: field, RegexString: pattern, TextTransformations: NO_CHANGE },
  });
  const routes = METHODS.flatMap((method) =>
    methodPatterns(method).map((pattern) => ({
      AndStatement: {
        Statements: [regex({ Method: {} }, `^(?:${HEAD_TOO(method)})$`), regex({ UriPath: {} }, pattern)],
      },
    })),
  );
  return {
    Name: 'only-routes',
    Priority: priority,
    Statement: { NotStatement: { Statement: { OrStatement: { Statements: routes } } } },
    Action: { Block: { CustomResponse: { ResponseCode: 404 } } },
    VisibilityConfig: VISIBLE('only-routes'),
  };
}

/** The expression of a Cloudflare custom rule that is true for what is no route. */
export function cloudflareExpression(): string {
  const routes = METHODS.flatMap((method) =>
    methodPatterns(method, 4_000).map((pattern) => {
      const set = HEAD_TOO(method)
        .split('|')
        .map((name) => `"${name}"`)
        .join(' ');
      return `(http.request.method in {${set}} and http.request.uri.path matches r"${pattern}")`;
    }),
  );
  return `not (\n  ${routes.join('\n  or ')}\n)`;
}
