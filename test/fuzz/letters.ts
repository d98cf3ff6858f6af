import fc from 'fast-check';
import type { Parameter } from '../../api/openapi-document.ts';
import type { FollowedDocument } from '../helpers/api-document.ts';
import type { Letter } from './courier.ts';
import type { PlacedOperation } from './operations.ts';
import { anyText, anyValue } from './values.ts';

/** Drawn requests to one operation: path, query, headers and body each as the document says, nearly so, or not at all. */
export function lettersTo(operation: PlacedOperation, document: FollowedDocument): fc.Arbitrary<Letter> {
  const { method, path, parameters, requestBody } = operation;
  const inPlace = (where: Parameter['in']) => parameters.filter((one) => one.in === where);
  const schema = requestBody?.content['application/json']?.schema;
  return fc
    .record({
      path: fc.record(
        Object.fromEntries(inPlace('path').map(({ name, schema }) => [name, idText(anyText(schema, document))])),
      ),
      query: fc.record(textsOf(inPlace('query'), document), { requiredKeys: [] }),
      headers: fc.record(textsOf(inPlace('header'), document), { requiredKeys: [] }),
      strange: fc.option(STRANGE_HEADER, { freq: 4 }),
      body: schema === undefined ? fc.option(anyText({}, document), { freq: 8 }) : bodyText(anyValue(schema, document)),
      type: fc.oneof({ arbitrary: fc.constant('application/json'), weight: 8 }, { arbitrary: STRANGE_TYPE, weight: 1 }),
    })
    .map(({ path: ids, query, headers, strange, body, type }) => ({
      method,
      target: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => escaped(ids[name] ?? '')) + queryText(query),
      headers: [
        ...(body === null ? [] : ['Content-Type', type]),
        ...Object.entries(headers).flatMap(([name, value]) => [name, headerText(value as string)]),
        ...(strange ?? []),
      ],
      body: Buffer.from(body ?? ''),
    }));
}

const textsOf = (parameters: readonly Parameter[], document: FollowedDocument) =>
  Object.fromEntries(parameters.map(({ name, schema }) => [name, anyText(schema, document)]));

/** An empty one would be another address. */
const idText = (drawn: fc.Arbitrary<string>): fc.Arbitrary<string> => drawn.map((text) => text.slice(0, 200) || '0');

/** JSON, sometimes cut off, padded, doubled or with bytes that are no UTF-8 text. */
const bodyText = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string | null> =>
  fc.tuple(value, fc.nat({ max: 19 })).map(([drawn, damage]) => {
    const text = JSON.stringify(drawn) ?? 'null';
    if (damage === 0) return null;
    if (damage === 1) return text.slice(0, -1);
    if (damage === 2) return `${text}${text}`;
    if (damage === 3) return `\ufeff \n${text}`;
    return text;
  });

const STRANGE_TYPE = fc.constantFrom(
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json;;;',
  'x',
);

const STRANGE_HEADER = fc.constantFrom(
  ['Accept', 'text/event-stream'],
  ['Content-Encoding', 'gzip'],
  ['Cookie', 'tradeguard=x; tradeguard=%ff; =; ;'],
  ['Authorization', 'Bearer '],
  ['Authorization', `Bearer ${'A'.repeat(43)}`],
  ['Idempotency-Key', ''],
  ['Idempotency-Key', 'x'.repeat(300), 'Idempotency-Key', 'y'],
  ['If-None-Match', '*'],
  ['Last-Event-ID', '-1'],
  ['Origin', 'null'],
  ['Range', 'bytes=0-0'],
  ['User-Agent', 'x'.repeat(4_000)],
  ['X-Forwarded-For', '999.1.1.1, ::ffff:0:0, '],
  ['X-Forwarded-Proto', 'https,http'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Signature', 'zz', 'X-Signature', 'zz', 'X-Timestamp', '99999999999', 'X-Nonce', 'x', 'X-Algorithm', 'none'],
);

/** A path's part as it goes over the wire; an unpaired surrogate has no UTF-8, so it goes as `%ED%A0%80`. */
const escaped = (text: string): string =>
  text.isWellFormed() ? encodeURIComponent(text).replace(/^\.{1,2}$/, '%2E') : '%ED%A0%80';

function queryText(query: Record<string, unknown>): string {
  const parts = Object.entries(query).map(([name, value]) => `${name}=${escaped(String(value))}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** What Node lets through in a header: Latin-1 without control characters, and no more than a server reads. */
const headerText = (text: string): string => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 2_000);
