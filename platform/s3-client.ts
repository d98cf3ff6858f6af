import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { AwsClient } from 'aws4fetch';

/** A bucket of an S3-compatible storage, addressed as `{endpoint}/{bucket}/{key}`. */
export interface S3Settings {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  /** Starts every key, for instance `tradeguard/`. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The storage refused or did not answer. Holds neither keys nor a signed URL. */
export class S3Error extends Error {
  override readonly name = 'S3Error';
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** S3 takes at most 10,000 parts and none but the last under 5 MiB; a part is held in memory while it is sent. */
const MIN_PART_BYTES = 16 * 1024 * 1024;
const MAX_PARTS = 9_000;
const REQUEST_TIMEOUT_MS = 300_000;

interface SendOptions {
  body?: Buffer;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** Statuses that are answers and no failures. */
  fine?: readonly number[];
}

/** One version of an object in a bucket that keeps them. */
export interface ObjectVersion {
  /** Without the prefix. */
  readonly key: string;
  readonly versionId: string;
}

/**
 * What backups need of S3, over `fetch` with requests signed by Signature Version 4. The hash of what is sent is part of
 * the signature, so a storage that keeps to the protocol refuses a body that was altered on the way.
 */
export function createS3Client(settings: S3Settings, { partBytes = MIN_PART_BYTES }: { partBytes?: number } = {}) {
  const { endpoint, bucket, region, prefix, accessKeyId, secretAccessKey } = settings;
  const aws = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 });
  const bucketUrl = `${endpoint.replace(/\/$/, '')}/${bucket}`;
  const urlOf = (key: string) => new URL(`${bucketUrl}/${prefix}${key}`);

  async function send(
    method: string,
    url: URL,
    { body, headers = {}, signal, fine = [] }: SendOptions = {},
  ): Promise<Response> {
    const request = await aws.sign(url, {
      method,
      headers: {
        ...headers,
        'X-Amz-Content-Sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      redirect: 'error',
    });
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(request, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    } catch (error) {
      signal?.throwIfAborted();
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
      throw new S3Error(`${method} at ${url.origin} got no answer (${cause})`, 0);
    }
    if (response.ok || fine.includes(response.status)) return response;
    const code = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(await response.text())?.[1];
    throw new S3Error(
      `${method} at ${url.origin} was answered ${response.status}${code ? ` ${code}` : ''}`,
      response.status,
    );
  }

  async function putInParts(path: string, key: string, size: number, signal: AbortSignal | undefined): Promise<void> {
    const url = urlOf(key);
    url.search = 'uploads=';
    const started = await (await send('POST', url, { signal })).text();
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(started)?.[1];
    if (uploadId === undefined) throw new S3Error(`an upload at ${url.origin} was not given an id`, 0);
    const part = (number?: number) => {
      const target = urlOf(key);
      if (number !== undefined) target.searchParams.set('partNumber', String(number));
      target.searchParams.set('uploadId', unescapeXml(uploadId));
      return target;
    };
    try {
      const tags: string[] = [];
      const step = Math.max(partBytes, Math.ceil(size / MAX_PARTS));
      for await (const body of fileParts(path, step)) {
        const answer = await send('PUT', part(tags.length + 1), { body, signal });
        tags.push(answer.headers.get('etag') ?? '');
      }
      const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`);
      const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
      const done = await (await send('POST', part(), { body, signal })).text();
      // This one call may answer 200 and report a failure in the body.
      if (/<Error>/.test(done)) throw new S3Error(`an upload at ${url.origin} was not put together`, 500);
    } catch (error) {
      // Parts of an upload that is not ended cost money and are not listed. The signal may be what stopped it.
      await send('DELETE', part()).catch(() => {});
      throw error;
    }
  }

  return {
    /** Stores a file of `size` bytes, in parts where it is large. @throws S3Error */
    async putFile(path: string, key: string, size: number, signal?: AbortSignal): Promise<void> {
      if (size > partBytes) return putInParts(path, key, size, signal);
      const parts: Buffer[] = [];
      for await (const body of fileParts(path, partBytes)) parts.push(body);
      await send('PUT', urlOf(key), { body: Buffer.concat(parts), signal });
    },

    async put(key: string, body: Buffer, signal?: AbortSignal): Promise<void> {
      await send('PUT', urlOf(key), { body, signal });
    },

    /** Stores an object under a key that is free. @returns false when the key is taken. @throws S3Error */
    async create(
      key: string,
      body: Buffer,
      headers: Readonly<Record<string, string>>,
      signal?: AbortSignal,
    ): Promise<boolean> {
      const response = await send('PUT', urlOf(key), {
        body,
        headers: { ...headers, 'If-None-Match': '*' },
        signal,
        fine: [412],
      });
      await response.body?.cancel();
      return response.status !== 412;
    },

    /** The content of an object, or of one version of it; undefined when there is none. @throws S3Error */
    async get(key: string, signal?: AbortSignal, versionId?: string): Promise<Readable | undefined> {
      const url = urlOf(key);
      if (versionId !== undefined) url.searchParams.set('versionId', versionId);
      const response = await send('GET', url, { signal, fine: [404] });
      if (response.status === 404 || response.body === null) {
        await response.body?.cancel();
        return undefined;
      }
      return Readable.fromWeb(response.body as ReadableStream);
    },

    /** Bytes of an object, undefined when there is none. */
    async sizeOf(key: string, signal?: AbortSignal): Promise<number | undefined> {
      const response = await send('HEAD', urlOf(key), { signal, fine: [404] });
      return response.status === 404 ? undefined : Number(response.headers.get('content-length'));
    },

    /** Every stored version of the objects whose keys begin with `start`; by key, the newest of a key first. */
    async listVersions(start = '', signal?: AbortSignal): Promise<ObjectVersion[]> {
      const found: ObjectVersion[] = [];
      for (let marker: string | undefined = '', version = ''; marker !== undefined; ) {
        const url = new URL(bucketUrl);
        url.searchParams.set('versions', '');
        url.searchParams.set('prefix', `${prefix}${start}`);
        if (marker !== '') url.searchParams.set('key-marker', marker);
        if (version !== '') url.searchParams.set('version-id-marker', version);
        const xml = await (await send('GET', url, { signal })).text();
        // A marker of deletion is a <DeleteMarker>: what it hides is still there.
        for (const [, one = ''] of xml.matchAll(/<Version>([\s\S]*?)<\/Version>/g)) {
          const key = unescapeXml(elementOf(one, 'Key') ?? '');
          found.push({ key: key.slice(prefix.length), versionId: unescapeXml(elementOf(one, 'VersionId') ?? '') });
        }
        const isTruncated = elementOf(xml, 'IsTruncated') === 'true';
        marker = isTruncated ? unescapeXml(elementOf(xml, 'NextKeyMarker') ?? '') || undefined : undefined;
        version = unescapeXml(elementOf(xml, 'NextVersionIdMarker') ?? '');
      }
      return found;
    },

    /** Every key below the prefix, without it. */
    async list(signal?: AbortSignal): Promise<string[]> {
      const keys: string[] = [];
      for (let token: string | undefined, more = true; more; ) {
        const url = new URL(bucketUrl);
        url.searchParams.set('list-type', '2');
        url.searchParams.set('prefix', prefix);
        if (token !== undefined) url.searchParams.set('continuation-token', token);
        const xml = await (await send('GET', url, { signal })).text();
        for (const [, key = ''] of xml.matchAll(/<Key>([^<]+)<\/Key>/g))
          keys.push(unescapeXml(key).slice(prefix.length));
        token = /<NextContinuationToken>([^<]+)</.exec(xml)?.[1];
        if (token !== undefined) token = unescapeXml(token);
        more = token !== undefined && /<IsTruncated>true</.test(xml);
      }
      return keys;
    },

    async delete(key: string, signal?: AbortSignal): Promise<void> {
      await send('DELETE', urlOf(key), { signal, fine: [404] });
    },
  };
}

export type S3Client = ReturnType<typeof createS3Client>;

async function* fileParts(path: string, size: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    for (;;) {
      const buffer = Buffer.alloc(size);
      let filled = 0;
      for (let got = -1; got !== 0 && filled < size; filled += got) {
        got = (await file.read(buffer, filled, size - filled)).bytesRead;
      }
      if (filled > 0) yield buffer.subarray(0, filled);
      if (filled < size) return;
    }
  } finally {
    await file.close();
  }
}

const elementOf = (xml: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const unescapeXml = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '');
const escapeXml = (text: string) => text.replace(/[&<>]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
