import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { replaceFolder } from './replace-folder.ts';

const WEB = import.meta.dirname;
const ROOT = join(WEB, '..');
const DIST = join(WEB, 'dist');
/** Names the sources that a build was made from. */
const STAMP = '.sources';
const COMPRESSED = /\.(js|css|svg)$/;

/**
 * Builds the pages into web/dist where that is not what the sources say; a build that is up to date costs a few
 * milliseconds. It appears whole or not at all, whatever else builds at the same time.
 *
 * @throws what the build says is wrong with the sources
 */
async function build(): Promise<void> {
  const sources = digestOfSources();
  if (readStamp() === sources) return;
  console.log('Dashboard: building its pages (once; some seconds).');
  // The libraries have a slower form for their own developers, which they take where this says anything else.
  process.env.NODE_ENV = 'production';
  const vite = await import('vite');
  removeLeftovers();
  const made = `${DIST}-${process.pid}`;
  try {
    await vite.build({ configFile: join(WEB, 'vite.config.ts'), logLevel: 'warn', build: { outDir: made } });
    for (const file of filesOf(made)) if (COMPRESSED.test(file)) compress(file);
    writeFileSync(join(made, STAMP), sources);
    replaceFolder(made, DIST);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function readStamp(): string | undefined {
  const stamp = join(DIST, STAMP);
  return existsSync(stamp) ? readFileSync(stamp, 'utf8') : undefined;
}

/** What the pages are made of: their own files, the client, and the versions of the libraries. */
function digestOfSources(): string {
  const files = [
    ...filesOf(WEB).filter((file) => !relative(WEB, file).startsWith('dist')),
    ...filesOf(join(ROOT, 'client')),
    join(ROOT, 'package-lock.json'),
  ];
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Compressed once, here, and not in every answer. */
function compress(file: string): void {
  const content = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  const forms = { gz: gzipSync(content, { level: 9 }), br: brotliCompressSync(content, { params }) };
  for (const [suffix, compressed] of Object.entries(forms)) {
    // Of a few bytes nothing can be spared.
    if (compressed.length < content.length) writeFileSync(`${file}.${suffix}`, compressed);
  }
}

/** What builds left that were ended before they were done. */
function removeLeftovers(): void {
  for (const name of readdirSync(WEB)) {
    const pid = /^dist-(\d+)/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(WEB, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

await build();
