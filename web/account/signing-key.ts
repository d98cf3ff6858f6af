import { type HmacKey, importSigningKey } from '../../client/index.ts';
import { client, signWith } from '../api.ts';

/**
 * The signing key of this browser, as it lies in its IndexedDB: the key signs, and no script, not even this one, can read
 * it. The secret that it was made of is in memory for the moment between the answer and the import, and nowhere else.
 */
export interface BrowserKey {
  readonly userId: string;
  readonly keyId: string;
  readonly audience: string;
  readonly createdAt: string;
  readonly key: HmacKey;
}

const DATABASE = 'tradeguard';
const STORE = 'signing-keys';

/** One key for each person who uses this browser. */
function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'userId' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    // Another tab with a newer version of these pages wants to change it: it goes first.
    request.onblocked = () => reject(new Error('Close the other tabs of this page, and try again.'));
  });
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error('This browser would not keep the key.'));
    });
  } finally {
    database.close();
  }
}

function use({ keyId, audience, key }: BrowserKey): void {
  signWith({ keyId, audience, secret: key });
}

async function keep(userId: string, issued: Issued): Promise<BrowserKey> {
  const { keyId, audience, createdAt, secret } = issued;
  const kept = { userId, keyId, audience, createdAt, key: await importSigningKey(secret) };
  await inStore('readwrite', (store) => store.put(kept));
  use(kept);
  return kept;
}

type Issued = Awaited<ReturnType<typeof client.issueSigningKey>>['body'];

/**
 * The key that this browser keeps for somebody; from here on the client signs with it.
 *
 * @returns null where there is none; the client then signs nothing
 * @throws DOMException where the browser keeps nothing, for instance in a private window
 */
export async function loadBrowserKey(userId: string): Promise<BrowserKey | null> {
  const found = await inStore<BrowserKey | undefined>('readonly', (store) => store.get(userId));
  if (found === undefined) signWith();
  else use(found);
  return found ?? null;
}

/**
 * Has the API make a key, and keeps it in this browser.
 *
 * @throws ProblemError, for instance `too_many_keys`; DOMException where the browser would not keep it: then the key is revoked again
 */
export async function makeBrowserKey(userId: string): Promise<BrowserKey> {
  const { body } = await client.issueSigningKey();
  try {
    return await keep(userId, body);
  } catch (error) {
    signWith({ keyId: body.keyId, audience: body.audience, secret: body.secret });
    await client.revokeSigningKey({ path: { keyId: body.keyId } }).finally(() => signWith());
    throw error;
  }
}

/** Puts a successor in its place; the old key is accepted for a while longer, for what is on its way. */
export async function rotateBrowserKey({ userId, keyId }: BrowserKey): Promise<BrowserKey> {
  const { body } = await client.rotateSigningKey({ path: { keyId } });
  return keep(userId, body);
}

/** Revokes the key, and removes it from this browser. */
export async function revokeBrowserKey({ userId, keyId }: BrowserKey): Promise<void> {
  await client.revokeSigningKey({ path: { keyId } });
  await forgetBrowserKey(userId);
}

/** Removes the key from this browser alone: it was revoked elsewhere. */
export async function forgetBrowserKey(userId: string): Promise<void> {
  await inStore('readwrite', (store) => store.delete(userId));
  signWith();
}
