import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { loadWebBuild } from '../../api/web-build.ts';
import { eventually } from '../helpers/eventually.ts';

vi.setConfig({ testTimeout: 120_000 });

const ROOT = join(import.meta.dirname, '../..');
/** A copy of what the pages are built from, so that nobody else's pages are. */
let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'tradeguard-web-build-'));
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'client', 'domain']) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  mkdirSync(join(copy, 'web'));
  cpSync(join(ROOT, 'web'), join(copy, 'web'), {
    recursive: true,
    filter: (source) => !source.startsWith(join(ROOT, 'web/dist')),
  });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const folders = () => readdirSync(join(copy, 'web')).filter((name) => name.startsWith('dist'));
const pages = () => loadWebBuild(pathToFileURL(`${join(copy, 'web/dist')}/`));

function build(): { child: ChildProcess; ended: Promise<{ code: number | null; said: string }> } {
  const child = spawn(process.execPath, [join(copy, 'web/build.ts')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      said += text;
    });
  }
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, said })) };
}

/** Every script that the page names is there. */
function expectWhole(): void {
  const found = pages();
  const named = [...(found?.page ?? '').matchAll(/(?:src|href)="\/web\/([^"]+)"/g)].map(([, name]) => name as string);
  expect(named.length).toBeGreaterThan(1);
  expect(named.filter((name) => !found?.files.has(name))).toEqual([]);
}

test('three builds at the same time all succeed, and leave the pages whole and nothing beside them', async () => {
  const all = await Promise.all([build(), build(), build()].map(({ ended }) => ended));
  expect(all.map(({ code, said }) => ({ code, failed: /error/i.test(said) }))).toEqual(
    all.map(() => ({ code: 0, failed: false })),
  );
  expect(folders()).toEqual(['dist']);
  expectWhole();
});

test('processes that put folders in the same place at the same time never fail, and the last one stays whole', async () => {
  const folder = join(copy, 'replaced');
  mkdirSync(folder);
  const swap = (name: string) => `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { replaceFolder } from ${JSON.stringify(pathToFileURL(join(ROOT, 'web/replace-folder.ts')).href)};
    for (let n = 0; n < 400; n += 1) {
      const made = ${JSON.stringify(join(folder, name))} + n;
      mkdirSync(made);
      writeFileSync(made + '/file', 'whole');
      replaceFolder(made, ${JSON.stringify(join(folder, 'target'))});
    }`;
  const all = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', swap(name)], {
        stdio: 'ignore',
      });
      const [code] = await once(child, 'close');
      return code as number;
    }),
  );
  expect(all).toEqual([0, 0, 0]);
  expect(readdirSync(folder)).toEqual(['target']);
  expect(readFileSync(join(folder, 'target/file'), 'utf8')).toBe('whole');
});

test('a build of what is built already does nothing; changed sources are built, and the old files are gone', async () => {
  const before = readFileSync(join(copy, 'web/dist/.sources'), 'utf8');
  expect(await build().ended).toEqual({ code: 0, said: '' });
  cpSync(join(copy, 'web/theme.ts'), join(copy, 'web/another.ts'));
  const { code, said } = await build().ended;
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('building its pages') });
  expect(readFileSync(join(copy, 'web/dist/.sources'), 'utf8')).not.toBe(before);
  expectWhole();
});

test('a build that is killed leaves the pages as they were, and the next one clears up behind it', async () => {
  const before = pages()?.page;
  rmSync(join(copy, 'web/another.ts'));
  const { child, ended } = build();
  await eventually(() => folders().some((name) => name !== 'dist'), { what: 'the folder of the build' });
  child.kill('SIGKILL');
  expect((await ended).code).toBeNull();
  expect(pages()?.page).toBe(before);
  expect(existsSync(join(copy, 'web/dist'))).toBe(true);
  expect((await build().ended).code).toBe(0);
  expect(folders()).toEqual(['dist']);
  expectWhole();
});
