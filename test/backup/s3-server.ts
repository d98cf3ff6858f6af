import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LockedObjects } from './s3-object-lock.ts';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The signature of a request after AWS's documentation ("Authenticating Requests: Using the Authorization Header"),
 * written from the text and independent of the client's library.
 */
export function signatureOf(
  request: { method: string; url: URL; headers: Record<string, string>; signed: string[]; payloadHash: string },
  { secretAccessKey, region }: Omit<Credentials, 'accessKeyId'>,
): string {
  const { method, url, headers, signed, payloadHash } = request;
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
  const lines = signed.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/\s+/g, ' ')}\n`);
  const canonical = [method, path, query, lines.join(''), signed.join(';'), payloadHash].join('\n');
  const at = headers['x-amz-date'] ?? '';
  const scope = `${at.slice(0, 8)}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n');
  const key = ['s3', 'aws4_request'].reduce<Buffer>(
    (derived, part) => hmac(derived, part),
    hmac(hmac(`AWS4${secretAccessKey}`, at.slice(0, 8)), region),
  );
  return createHmac('sha256', key).update(text).digest('hex');
}

/**
 * A storage on loopback that speaks what backups need of S3 and refuses every request that is not signed as it must be.
 *
 * @param locked the objects of a bucket with versions and object lock; undefined for a plain one
 */
export async function startS3Server(credentials: Credentials, bucket: string, locked?: LockedObjects) {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, { key: string; parts: Map<number, Buffer> }>();
  const requests: string[] = [];
  let failure: ((method: string, url: URL) => number | undefined) | undefined;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(req.url ?? '', `http://${req.headers.host}`);
    const method = req.method ?? '';
    requests.push(`${method} ${url.pathname}${url.search}`);
    const end = (status: number, content: string | Buffer = '', headers: Record<string, string> = {}) =>
      res.writeHead(status, headers).end(content);
    const refusal = refusalOf(req, method, url, body, credentials);
    if (refusal) return void end(403, `<Error><Code>${refusal}</Code></Error>`);
    const broken = failure?.(method, url);
    if (broken) return void end(broken, '<Error><Code>InternalError</Code></Error>');
    const [, named = '', ...rest] = url.pathname.split('/');
    if (named !== bucket) return void end(404, '<Error><Code>NoSuchBucket</Code></Error>');
    const key = decodeURIComponent(rest.join('/'));
    if (locked && ['PUT', 'GET', 'DELETE'].includes(method)) {
      const version = url.searchParams.get('versionId');
      if (url.searchParams.has('versions')) return void end(200, locked.list(url.searchParams));
      const done =
        method === 'PUT'
          ? locked.put(key, body, req.headers)
          : method === 'GET'
            ? locked.get(key, version)
            : locked.remove(key, version);
      return void end(done.status, done.body);
    }
    const upload = uploads.get(url.searchParams.get('uploadId') ?? '');
    if (method === 'GET' && key === '') return void end(200, list(url.searchParams));
    if (method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload-${uploads.size + 1}&<`;
      uploads.set(id, { key, parts: new Map() });
      return void end(200, '<R><UploadId>'.concat(id.replace('&', '&amp;').replace('<', '&lt;'), '</UploadId></R>'));
    }
    if (method === 'PUT' && upload) {
      upload.parts.set(Number(url.searchParams.get('partNumber')), body);
      return void end(200, '', { ETag: `"${sha256(body)}"` });
    }
    if (method === 'POST' && upload) {
      const tags = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"([0-9a-f]+)"<\/ETag>/g)];
      const parts = tags.map(([, number, tag]) => {
        const part = upload.parts.get(Number(number));
        return part && sha256(part) === tag ? part : undefined;
      });
      if (parts.length === 0 || parts.some((part) => part === undefined))
        return void end(400, '<Error><Code>InvalidPart</Code></Error>');
      objects.set(upload.key, Buffer.concat(parts as Buffer[]));
      uploads.delete(url.searchParams.get('uploadId') ?? '');
      return void end(200, '<CompleteMultipartUploadResult/>');
    }
    if (method === 'DELETE' && upload) {
      uploads.delete(url.searchParams.get('uploadId') ?? '');
      return void end(204);
    }
    if (method === 'PUT') {
      objects.set(key, body);
      return void end(200);
    }
    if (method === 'DELETE') {
      objects.delete(key);
      return void end(204);
    }
    const object = objects.get(key);
    if (object === undefined) return void end(404, method === 'HEAD' ? '' : '<Error><Code>NoSuchKey</Code></Error>');
    end(200, method === 'HEAD' ? '' : object, { 'Content-Length': String(object.length) });
  }

  /** Two keys a page, so that a client has to ask on. */
  function list(query: URLSearchParams): string {
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '')).sort();
    const from = Number(Buffer.from(query.get('continuation-token') ?? '', 'base64').toString() || 0);
    const page = keys.slice(from, from + 2).map((key) => `<Contents><Key>${key}</Key></Contents>`);
    const more = from + 2 < keys.length;
    const next = Buffer.from(String(from + 2)).toString('base64');
    return `<L><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''}${page.join('')}</L>`;
  }

  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    uploads,
    requests,
    /** Answers requests with this status for as long as `decide` gives one. */
    failWhile(decide: typeof failure): void {
      failure = decide;
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function refusalOf(
  req: IncomingMessage,
  method: string,
  url: URL,
  body: Buffer,
  { accessKeyId, secretAccessKey, region }: Credentials,
): string | undefined {
  const header = req.headers.authorization ?? '';
  const parsed =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!parsed) return 'AccessDenied';
  const [, id, date, givenRegion, names = '', signature = ''] = parsed;
  const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
  const at = headers['x-amz-date'] ?? '';
  const time = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (id !== accessKeyId || givenRegion !== region || date !== at.slice(0, 8)) return 'InvalidAccessKeyId';
  if (!(Math.abs(Date.now() - time) < 900_000)) return 'RequestTimeTooSkewed';
  const payloadHash = headers['x-amz-content-sha256'] ?? '';
  if (payloadHash !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const signed = names.split(';');
  if (!['host', 'x-amz-date', 'x-amz-content-sha256'].every((name) => signed.includes(name))) return 'AccessDenied';
  if (!Object.keys(headers).every((name) => !name.startsWith('x-amz-') || signed.includes(name))) return 'AccessDenied';
  const expected = signatureOf({ method, url, headers, signed, payloadHash }, { secretAccessKey, region });
  return timingSafeEqual(Buffer.from(expected), Buffer.from(signature)) ? undefined : 'SignatureDoesNotMatch';
}
