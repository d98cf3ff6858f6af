import type { JsonSchema, OpenApiDocument, Operation } from '../../api/openapi-document.ts';

const head = (what: string) => `/**
 * ${what}: made from the API's OpenAPI document by test/client/operations.test.ts, which holds this file against it.
 * \`npx vitest run --project servers test/client/operations.test.ts -u\` writes it anew.
 */`;

interface Named {
  path: string;
  method: string;
  operation: Operation;
}

/**
 * The sources of client/operations.ts, the type of each operation's input and answers, and of client/operation-table.ts, how
 * each is called.
 *
 * @throws Error for a schema that is more than this writes down: a type that is less exact than the document would pass
 *   unseen
 */
export function emitOperations(document: OpenApiDocument): { types: string; table: string } {
  const operations = Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): Named => ({ path, method, operation })),
    )
    .filter(isForClients)
    .toSorted((a, b) => (a.operation.operationId < b.operation.operationId ? -1 : 1));
  const types = operations.map((one) => `  /** ${one.operation.summary} */\n  ${memberOf(one)}`);
  const table = operations.map((one) => `  ${one.operation.operationId}: ${callOf(one)},`);
  return {
    types: `${head('What each operation takes and answers')}\nexport interface Operations {\n${types.join('\n')}\n}\n`,
    table: `${head('How each operation is called')}\nexport const OPERATIONS = {\n${table.join('\n')}\n} as const;\n`,
  };
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

function successes({ responses }: Operation) {
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
  ...['multipleOf', 'minItems', 'maxItems', 'description', 'default', 'propertyNames', 'contentEncoding'],
]);

/** A JSON Schema, of those that zod writes, as a type. */
export function typeOf(schema: JsonSchema): string {
  const {
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
      return objectType(properties as Record<string, JsonSchema> | undefined, required, additionalProperties);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no type is written for ${String(type)}`);
  }
}

function objectType(properties: Record<string, JsonSchema> = {}, required: unknown, others: unknown): string {
  const needed = new Set(required as string[] | undefined);
  const members = Object.entries(properties).map(([name, schema]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    return needed.has(name) ? `${key}: ${typeOf(schema)}` : `${key}?: ${typeOf(schema)} | undefined`;
  });
  if (typeof others === 'object' && others !== null) {
    const other = typeOf(others as JsonSchema);
    // An index signature has to hold for the named members as well.
    return members.length === 0 ? `Record<string, ${other}>` : `{ ${members.join('; ')}; [member: string]: unknown }`;
  }
  return members.length === 0 ? EMPTY : `{ ${members.join('; ')} }`;
}

const union = (types: string[]) => [...new Set(types)].join(' | ');
const bracketed = (type: string) => (type.includes(' | ') ? `(${type})` : type);
