import { existsSync, readdirSync, readFileSync } from 'node:fs';

const DIST = new URL('../web/dist/', import.meta.url);
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

export interface WebFile {
  readonly contentType: string;
  readonly plain: Buffer;
  /** Compressed when the pages were built. */
  readonly gzip: Buffer | undefined;
  readonly br: Buffer | undefined;
}

export interface WebBuild {
  /** The page at every address. */
  readonly page: string;
  readonly files: ReadonlyMap<string, WebFile>;
}

/** What web/build.ts made, read once; undefined where it has not run. */
export function loadWebBuild(folder = DIST): WebBuild | undefined {
  const index = new URL('index.html', folder);
  if (!existsSync(index)) return undefined;
  const files = readdirSync(folder).flatMap((name): [string, WebFile][] => {
    const contentType = CONTENT_TYPES[name.split('.').pop() ?? ''];
    if (contentType === undefined) return [];
    const read = (suffix: string): Buffer | undefined => {
      const file = new URL(name + suffix, folder);
      return existsSync(file) ? readFileSync(file) : undefined;
    };
    const plain = readFileSync(new URL(name, folder));
    return [[name, { contentType, plain, gzip: read('.gz'), br: read('.br') }]];
  });
  return { page: readFileSync(index, 'utf8'), files: new Map(files) };
}
