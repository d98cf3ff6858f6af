import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

interface Version {
  id: string;
  /** Null for a marker of deletion. */
  body: Buffer | null;
  /** Milliseconds since the epoch; 0 for none. */
  lockedUntil: number;
}

export interface StorageAnswer {
  status: number;
  body?: Buffer | string;
}

const refused = (status: number, code: string): StorageAnswer => ({
  status,
  body: `<Error><Code>${code}</Code></Error>`,
});

/** The objects of a bucket with versioning and object lock, by S3's rules: what is overwritten or deleted stays below. */
export function createLockedObjects() {
  const versions = new Map<string, Version[]>();
  let drawn = 0;
  const of = (key: string) => versions.get(key) ?? [];

  function put(key: string, body: Buffer, headers: IncomingHttpHeaders): StorageAnswer {
    const newest = of(key).at(-1);
    if (headers['if-none-match'] === '*' && newest && newest.body !== null) return refused(412, 'PreconditionFailed');
    const until = headers['x-amz-object-lock-retain-until-date'];
    if (Boolean(until) !== Boolean(headers['x-amz-object-lock-mode'])) return refused(400, 'InvalidArgument');
    const checksum = headers['x-amz-checksum-sha256'];
    if (until !== undefined && checksum === undefined) return refused(400, 'InvalidRequest');
    if (checksum !== undefined && checksum !== createHash('sha256').update(body).digest('base64')) {
      return refused(400, 'BadDigest');
    }
    const lockedUntil = until === undefined ? 0 : Date.parse(String(until));
    if (until !== undefined && !(lockedUntil > Date.now())) return refused(400, 'InvalidArgument');
    drawn += 1;
    versions.set(key, [...of(key), { id: `v${drawn}&<`, body, lockedUntil }]);
    return { status: 200 };
  }

  function remove(key: string, versionId: string | null): StorageAnswer {
    if (versionId === null) {
      drawn += 1;
      versions.set(key, [...of(key), { id: `v${drawn}`, body: null, lockedUntil: 0 }]);
      return { status: 204 };
    }
    const named = of(key).find(({ id }) => id === versionId);
    if (named && named.lockedUntil > Date.now()) return refused(403, 'AccessDenied');
    versions.set(
      key,
      of(key).filter(({ id }) => id !== versionId),
    );
    return { status: 204 };
  }

  function get(key: string, versionId: string | null): StorageAnswer {
    const found = versionId === null ? of(key).at(-1) : of(key).find(({ id }) => id === versionId);
    return found?.body ? { status: 200, body: found.body } : refused(404, 'NoSuchKey');
  }

  /** Two versions a page, so that a client has to ask on. */
  function list(query: URLSearchParams): string {
    const all = [...versions]
      .filter(([key]) => key.startsWith(query.get('prefix') ?? ''))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, list]) => list.toReversed().map((version) => ({ key, ...version })));
    const [marker, id] = [query.get('key-marker'), query.get('version-id-marker')];
    const from = marker === null ? 0 : all.findIndex((one) => one.key === marker && one.id === id) + 1;
    const page = all.slice(from, from + 2);
    const xml = page.map(({ key, id: version, body }) => {
      const name = body === null ? 'DeleteMarker' : 'Version';
      return `<${name}><Key>${escaped(key)}</Key><VersionId>${escaped(version)}</VersionId></${name}>`;
    });
    const last = page.at(-1);
    const more = from + 2 < all.length && last !== undefined;
    const next = more
      ? `<NextKeyMarker>${escaped(last.key)}</NextKeyMarker><NextVersionIdMarker>${escaped(last.id)}</NextVersionIdMarker>`
      : '';
    return `<ListVersionsResult><IsTruncated>${more}</IsTruncated>${next}${xml.join('')}</ListVersionsResult>`;
  }

  return { versions, put, remove, get, list };
}

export type LockedObjects = ReturnType<typeof createLockedObjects>;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
