import type { JsonSchema } from '../../api/openapi-document.ts';
import type { FollowedDocument, FollowedOperation } from '../helpers/api-document.ts';

const head = (what: string) => `/**
 * ${what}: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * \`npx vitest run --project servers test/client/operations.test.ts -u\` writes it anew.
 */`;

interface Named {
  path: string;
  method: string;
  operation: FollowedOperation;
}

/** The files of client/schemas, by the tags of the calls whose objects they hold. What several of them need is in `general`. */
const AREAS: Readonly<Record<string, readonly string[]>> = {
  identity: ['auth', 'profile', 'devices', 'signing-keys', 'users', 'accounts', 'lockouts', 'console'],
  trading: ['portfolio', 'transactions', 'instruments', 'prices', 'exchange-rates'],
  security: ['reviews', 'incidents', 'dashboard'],
  rules: ['rule-sets', 'rules'],
  operations: ['audit-logs', 'backups', 'keys', 'performance', 'task-queue', 'health'],
};
const SHARED = 'general';

interface Sources {
  /** By name of the file in client/schemas, without its ending. */
  schemas: Record<string, string>;
  types: string;
  table: string;
}

/**
 * The sources of client/schemas, the types of the document's named schemas; of client/operations.ts, the type of each
 * operation's input and answers; and of client/operation-table.ts, how each is called.
 *
 * @throws Error for a schema that is more than this writes down: a type that is less exact than the document would pass
 *   unseen
 */
export function emitOperations(document: FollowedDocument): Sources {
  const operations = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): Named => ({ path, method, operation })),
    )
    .filter(isForClients)
    .toSorted((a, b) => (a.operation.operationId < b.operation.operationId ? -1 : 1));
  const types = operations.map((one) => `  /** ${one.operation.summary} */\n  ${memberOf(one)}`);
  const table = operations.map((one) => `  ${one.operation.operationId}: ${callOf(one)},`);
  const used = namesIn(operations.map(({ operation }) => describedTypes(operation)));
  return {
    schemas: emitSchemas(document, operations),
    types: `${importOf(used, './schemas/index.ts')}\n\n${head('What each operation takes and answers')}\nexport interface Operations {\n${types.join('\n')}\n}\n`,
    table: `${head('How each operation is called')}\nexport const OPERATIONS = {\n${table.join('\n')}\n} as const;\n`,
  };
}

function emitSchemas({ components }: FollowedDocument, operations: readonly Named[]): Record<string, string> {
  const areas = new Map<string, string>();
  const place = (name: string, area: string): void => {
    const known = areas.get(name);
    if (known === area || known === SHARED) return;
    areas.set(name, known === undefined ? area : SHARED);
    for (const inner of namesIn(components.schemas[name])) place(inner, areas.get(name) ?? SHARED);
  };
  for (const { operation } of operations) {
    const area = Object.keys(AREAS).find((one) => AREAS[one]?.includes(operation.tags[0] ?? '')) ?? SHARED;
    for (const name of namesIn(describedTypes(operation))) place(name, area);
  }
  for (const name of Object.keys(components.schemas)) if (!areas.has(name)) place(name, SHARED);

  const files = [...Object.keys(AREAS), SHARED];
  const sources = files.map((area) => {
    const own = Object.keys(components.schemas).filter((name) => areas.get(name) === area);
    const others = namesIn(own.map((name) => components.schemas[name])).filter((name) => areas.get(name) !== area);
    const imports = files.flatMap((other) => {
      const from = others.filter((name) => areas.get(name) === other);
      return from.length === 0 ? [] : [importOf(from, `./${other}.ts`)];
    });
    const declarations = own.map((name) => declarationOf(name, components.schemas[name] ?? {}));
    return [area, `${[...imports, head("The API's objects by name"), ...declarations].join('\n\n')}\n`] as const;
  });
  const index = `${head("The API's objects by name")}\n${files.map((area) => `export type * from './${area}.ts';\n`).join('')}`;
  return { ...Object.fromEntries(sources), index };
}

/** What of an operation has a type in the client: errors are thrown, whatever they are. */
const describedTypes = (operation: FollowedOperation) => [
  operation.parameters.filter((one) => one.in !== 'header'),
  operation.requestBody,
  successes(operation),
];

/** The names of the schemas that something refers to. */
function namesIn(part: unknown): string[] {
  const found = JSON.stringify(part ?? null).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  return [...new Set([...found].map(([, name = '']) => name))].sort();
}

const WIDTH = 120;

/** In lines of up to {@link WIDTH} characters, several names in each. */
function importOf(names: readonly string[], from: string): string {
  const inOneLine = `import type { ${names.join(', ')} } from '${from}';`;
  if (inOneLine.length <= WIDTH) return inOneLine;
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${name},`.length <= WIDTH) lines[lines.length - 1] = `${last} ${name},`;
    else lines.push(`  ${name},`);
  }
  return `import type {\n${lines.join('\n')}\n} from '${from}';`;
}

/** The declaration of a named schema; what is short stands in one line. */
function declarationOf(name: string, schema: JsonSchema): string {
  const comment = typeof schema.description === 'string' ? `/** ${schema.description} */\n` : '';
  const type = typeOf(schema);
  if (schema.type !== 'object' || !type.startsWith('{')) return `${comment}export type ${name} = ${type};`;
  const inOneLine = `export interface ${name} ${type}`;
  if (inOneLine.length <= WIDTH) return comment + inOneLine;
  const members = membersOf(schema).map((member) => `  ${member};\n`);
  return `${comment}export interface ${name} {\n${members.join('')}}`;
}

const NO_CALLS: readonly string[] = [
  'downloadIncidentEvidence',
  'followEvents',
  'getApiReference',
  'getOpenApi',
  'receiveStripeWebhook',
];

/** Pages, files, metrics and streams are no calls, and a webhook is for who sends it. */
function isForClients({ path, operation }: Named): boolean {
  const isJson = successes(operation).some(([, { content }]) => content === undefined || 'application/json' in content);
  return path.startsWith('/api/') && isJson && !NO_CALLS.includes(operation.operationId);
}

function successes({ responses }: FollowedOperation) {
  return Object.entries(responses).filter(([status]) => Number(status) < 300);
}

function memberOf({ operation }: Named): string {
  const { operationId, parameters, requestBody } = operation;
  const inputs = (['path', 'query'] as const).flatMap((where) => {
    const found = parameters.filter((one) => one.in === where);
    if (found.length === 0) return [];
    const members = found.map(
      ({ name, required, schema }) =>
        `${name}${required ? '' : '?'}: ${typeOf(schema)}${required ? '' : ' | undefined'}`,
    );
    return [`${where}${found.some(({ required }) => required) ? '' : '?'}: { ${members.join('; ')} }`];
  });
  const body = requestBody?.content['application/json']?.schema;
  // One that has nothing to say is left out.
  if (body !== undefined && typeOf(body) !== EMPTY)
    inputs.push(`body${requestBody?.required ? '' : '?'}: ${typeOf(body)}`);
  const answers = successes(operation).map(([status, { content }]) => {
    const schema = content?.['application/json']?.schema;
    return `${status}: ${schema === undefined ? 'undefined' : typeOf(schema)}`;
  });
  return `${operationId}: { input: { ${inputs.join('; ')} }; answers: { ${answers.join('; ')} } };`;
}

function callOf({ path, method, operation: { parameters } }: Named): string {
  const header = (name: string) => parameters.find((one) => one.in === 'header' && one.name.toLowerCase() === name);
  const signature = header('x-signature');
  const signed = signature && `signed: '${signature.required ? 'always' : 'maybe'}'`;
  const idempotent = header('idempotency-key') && 'idempotencyKey: true';
  const members = [`method: '${method.toUpperCase()}'`, `path: '${path}'`, signed, idempotent];
  return `{ ${members.filter((one) => one !== undefined).join(', ')} }`;
}

const EMPTY = 'Record<string, never>';

/** What narrows a value without changing its type in TypeScript. */
const NARROWING = new Set([
  ...['pattern', 'format', 'minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  ...['multipleOf', 'minItems', 'maxItems', 'description', 'default', 'propertyNames', 'contentEncoding', 'examples'],
]);

/** A JSON Schema, of those that zod writes, as a type. */
export function typeOf(schema: JsonSchema): string {
  const {
    $ref,
    type,
    enum: values,
    const: value,
    anyOf,
    oneOf,
    items,
    properties,
    required,
    additionalProperties,
    ...rest
  } = schema;
  const unknown = Object.keys(rest).filter((keyword) => !NARROWING.has(keyword));
  if (unknown.length > 0) throw new Error(`no type is written for ${unknown.join(', ')}`);
  if (typeof $ref === 'string') return $ref.split('/').at(-1) ?? '';
  if (value !== undefined) return JSON.stringify(value);
  if (Array.isArray(values)) return union(values.map((one) => JSON.stringify(one)));
  const alternatives = (anyOf ?? oneOf) as JsonSchema[] | undefined;
  if (alternatives !== undefined) return union(alternatives.map(typeOf));
  if (Array.isArray(type)) return union(type.map((one) => typeOf({ ...schema, type: one })));
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'number':
    case 'integer':
      return 'number';
    case 'array':
      return `${bracketed(typeOf((items ?? {}) as JsonSchema))}[]`;
    case 'object':
      return objectType(schema);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no type is written for ${String(type)}`);
  }
}

function objectType(schema: JsonSchema): string {
  const { properties = {}, additionalProperties: others, propertyNames } = schema as Record<string, JsonSchema>;
  if (Object.keys(properties).length > 0) return `{ ${membersOf(schema).join('; ')} }`;
  if (typeof others !== 'object' || others === null) return EMPTY;
  if (typeof propertyNames?.$ref !== 'string') return `Record<string, ${typeOf(others)}>`;
  const record = `Record<${typeOf(propertyNames)}, ${typeOf(others)}>`;
  return schema.required === undefined ? `Partial<${record}>` : record;
}

/** The members of an object's type; where there may be others, an index signature has to hold for all of them. */
function membersOf(schema: JsonSchema): string[] {
  const { properties = {}, required, additionalProperties: others } = schema as Record<string, JsonSchema>;
  const needed = new Set(required as string[] | undefined);
  const members = Object.entries(properties).map(([name, member]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    const type = typeOf(member as JsonSchema);
    return needed.has(name) ? `${key}: ${type}` : `${key}?: ${type} | undefined`;
  });
  return typeof others === 'object' ? [...members, '[member: string]: unknown'] : members;
}

const union = (types: string[]) => [...new Set(types)].join(' | ');
const bracketed = (type: string) => (type.includes(' | ') ? `(${type})` : type);
