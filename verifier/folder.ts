import { hash } from 'node:crypto';
import { join } from 'node:path';
import { isBundleFile, openBundleFile } from './bundle-file.ts';
import { type Finding, finding } from './finding.ts';
import { type ListedFile, type Manifest, parseManifest } from './manifest.ts';
import { openNote, parseVerifierKey, type Verifier } from './note.ts';
import { UnreadableError } from './pool.ts';
import { folderSource, type Source } from './source.ts';

/** What a folder, or a bundle in one file, says it is, and whether that is proven by a signature. */
export interface Folder {
  dir: string;
  source: Source;
  /** Null when it cannot be understood; then nothing else of the folder is. */
  manifest: Manifest | null;
  /** Of the manifest's file, in hex. */
  manifestSha256: string;
  /** Of keys.txt. */
  listed: Verifier[];
  /** Whose signatures count: the pinned keys, or without any those of keys.txt. */
  trusted: Verifier[];
  /** Whose signature the manifest carries. */
  signers: Verifier[];
  /** Files of the manifest that are there; `at` is their name in the source, `path` where another thread finds them. */
  files: (ListedFile & { at: string; path: string })[];
  findings: Finding[];
  notes: string[];
}

const KNOWN = /^(manifest\.json|manifest\.note|keys\.txt|checkpoints\/[^/]+)$/;

/**
 * Reads the manifest of a folder, or of a bundle in one file, and checks its signature, and that the files it lists, and no others, are there.
 *
 * @param pinned keys that the auditor knows from elsewhere
 * @throws UnreadableError when there is no manifest, or a file is no bundle
 */
export function openFolder(dir: string, pinned: readonly Verifier[]): Folder {
  const isFile = isBundleFile(dir);
  const source = isFile ? openBundleFile(dir) : folderSource(dir);
  const bytes = source.read('manifest.json');
  if (bytes === null) throw new UnreadableError(`${dir} is no export: it has no manifest.json that can be read`);
  const folder: Folder = {
    dir,
    source,
    manifest: null,
    manifestSha256: hash('sha256', bytes, 'hex'),
    listed: keysOf(source.read('keys.txt')?.toString('utf8') ?? ''),
    trusted: [...pinned],
    signers: [],
    files: [],
    findings: [],
    notes: [],
  };
  if (pinned.length === 0) folder.trusted = folder.listed;
  checkSignature(folder, bytes, pinned.length > 0);
  const manifest = parseManifest(bytes.toString('utf8'));
  if (typeof manifest === 'string') {
    folder.findings.push(finding('malformed', null, `${dir}/manifest.json: ${manifest}`));
    return folder;
  }
  if (isFile && manifest.kind !== 'evidence') throw new UnreadableError(`${dir} is one file, and no evidence bundle`);
  folder.manifest = manifest;
  listFiles(folder, manifest);
  return folder;
}

function checkSignature(folder: Folder, manifest: Buffer, isPinned: boolean): void {
  const { dir, findings } = folder;
  const note = folder.source.read('manifest.note')?.toString('utf8');
  if (note === undefined) {
    findings.push(finding('manifest_forged', null, `${dir}/manifest.note is missing: the manifest is not signed`));
    return;
  }
  const opened = openNote(note, folder.trusted);
  if (opened.problem !== null) {
    const isByListed = isPinned && openNote(note, folder.listed).problem === null;
    findings.push(
      isByListed
        ? finding('wrong_key', null, `${dir}: the manifest is signed by a key of its own keys.txt, not by a pinned one`)
        : finding('manifest_forged', null, `${dir}/manifest.note: ${PROBLEMS[opened.problem]}`),
    );
    return;
  }
  const [, origin] = opened.text.split('\n');
  const signers = opened.signers.filter(({ name }) => name === origin);
  const expected = `tradeguard-export/v1\n${origin}\n${hash('sha256', manifest, 'hex')}\n`;
  if (opened.text !== expected) {
    findings.push(finding('manifest_forged', null, `${dir}/manifest.json is not the one that manifest.note signs`));
  } else if (signers.length === 0) {
    findings.push(finding('manifest_forged', null, `${dir}/manifest.note is signed by the key of another log`));
  } else {
    folder.signers = signers;
    const text = manifest.toString('utf8');
    const parsed = parseManifest(text);
    if (typeof parsed !== 'string' && parsed.origin !== origin)
      findings.push(finding('manifest_forged', null, `${dir}/manifest.note signs for ${origin}, not ${parsed.origin}`));
  }
}

/** Said of a signed note that does not open. */
export const PROBLEMS = {
  malformed: 'is not a signed note',
  unknown_key: 'is not signed by a known key',
  bad_signature: 'its signature is wrong',
};

function listFiles(folder: Folder, { files }: Manifest): void {
  const { dir, source, findings } = folder;
  const listed = new Set<string>();
  for (const file of files) {
    // The name is relative to the folder, or to its folder of entries.
    const name = [file.name, `entries/${file.name}`].find((candidate) => source.has(candidate));
    if (name === undefined) {
      findings.push(finding('file_missing', file.from, `${file.name} is in the manifest, but not in ${dir}`));
    } else {
      listed.add(name);
      folder.files.push({ ...file, at: name, path: join(dir, name) });
    }
  }
  folder.files.sort((a, b) => a.from - b.from);
  for (const name of source.names()) {
    if (listed.has(name) || KNOWN.test(name)) continue;
    if (name.startsWith('entries/') || /\.ndjson(\.gz)?$/.test(name))
      findings.push(finding('file_unexpected', null, `${dir}/${name} is not in the manifest: nothing vouches for it`));
    else folder.notes.push(`${dir}/${name} is no part of an export and was not read.`);
  }
}

/** The keys of a file, one a line; what is none is passed over. */
export function keysOf(text: string): Verifier[] {
  return text.split(/\r?\n/).flatMap((line) => parseVerifierKey(line.trim()) ?? []);
}
