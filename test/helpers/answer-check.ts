import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { HEADER_NAMES } from '../../api/openapi-components.ts';
import type { JsonSchema } from '../../api/openapi-document.ts';
import { createOperationFinder, type PlacedOperation } from '../fuzz/operations.ts';
import type { FollowedDocument } from './api-document.ts';

/** An answer as it came over the wire. */
export interface ReceivedAnswer {
  status: number;
  contentType: string | null;
  /** Names of its headers, in any case. */
  headers: readonly string[];
  body: string;
}

const SCHEMAS = 'urn:tradeguard:schemas';
const DOCUMENTED_HEADERS = new Set(Object.values(HEADER_NAMES).map((name) => name.toLowerCase()));

/**
 * Holds answers against the document, strictly: a status, a media type, a header of ours or a member that is not in it is a
 * fault, as is a missing or a wrong one. Each schema is compiled once.
 *
 * @throws Error for an object schema that leaves open by mistake which members it has
 */
export function createAnswerCheck(document: FollowedDocument) {
  const find = createOperationFinder(document);
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: SCHEMAS, $defs: local(document.components.schemas) });
  const seen = new Set<string>();
  const compiled = new WeakMap<JsonSchema, ValidateFunction>();

  function validatorOf(schema: JsonSchema): ValidateFunction {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    assertClosed(schema);
    const made = ajv.compile(local(schema));
    compiled.set(schema, made);
    return made;
  }

  function faultOf(operation: PlacedOperation, answer: ReceivedAnswer): string | undefined {
    const { status, body } = answer;
    const documented = operation.responses[status];
    if (documented === undefined) return 'this status is not documented';
    const names = new Set(Object.keys(documented.headers ?? {}).map((name) => name.toLowerCase()));
    const sent = answer.headers.map((name) => name.toLowerCase());
    const undocumented = sent.find((name) => DOCUMENTED_HEADERS.has(name) && !names.has(name));
    if (undocumented !== undefined) return `the header ${undocumented} is not documented`;
    const mediaType = answer.contentType?.split(';')[0]?.trim() ?? '';
    if (documented.content === undefined) return body === '' ? undefined : 'no body is documented';
    const content = documented.content[mediaType];
    if (content === undefined) return `the media type ${mediaType || 'of nothing'} is not documented`;
    if (!mediaType.endsWith('json')) return undefined;
    const parsed = JSON.parse(body) as unknown;
    const validate = validatorOf(content.schema);
    if (!validate(parsed)) return (validate.errors ?? []).map(faultText).join('; ');
    const isHonest =
      status < 400 || mediaType === 'application/json' || (parsed as { status: number }).status === status;
    return isHonest ? undefined : `/status: a problem that says another status than ${status}`;
  }

  return {
    find,
    /** @returns what is wrong, with operation, status and JSON pointer; undefined where the answer is as documented */
    check(operation: PlacedOperation, answer: ReceivedAnswer): string | undefined {
      const fault = faultOf(operation, answer);
      return fault === undefined
        ? undefined
        : `${operation.operationId} ${answer.status}: ${fault}. The answer: ${answer.body.slice(0, 1_000)}`;
    },
  };

  /** Every schema of an answer says which members it has, or that it may have others. */
  function assertClosed(schema: unknown): void {
    if (typeof schema !== 'object' || schema === null) return;
    if ('properties' in schema && !('additionalProperties' in schema)) {
      throw new Error(`an object says not whether it has other members: ${JSON.stringify(schema).slice(0, 300)}`);
    }
    if ('$ref' in schema) {
      const name = String(schema.$ref).split('/').at(-1) ?? '';
      if (seen.has(name)) return;
      seen.add(name);
      assertClosed(document.components.schemas[name]);
    }
    for (const part of Object.values(schema)) assertClosed(part);
  }
}

export type AnswerCheck = ReturnType<typeof createAnswerCheck>;

/** References as the validator finds them. */
function local<T>(schema: T): T {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', `"${SCHEMAS}#/$defs/`)) as T;
}

function faultText({ instancePath, message, params }: ErrorObject): string {
  const extra = 'additionalProperty' in params ? `: ${params.additionalProperty}` : '';
  const allowed = 'allowedValues' in params ? `: ${JSON.stringify(params.allowedValues)}` : '';
  return `${instancePath || '/'} ${message ?? 'is wrong'}${extra}${allowed}`;
}
