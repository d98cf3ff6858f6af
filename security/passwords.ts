import { hash, type Options, parseOptions, verify } from '@node-rs/argon2';

/** Argon2id with the first choice of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. */
export const ARGON2_PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const;

/** `Algorithm.Argon2id`; the library declares it as a const enum, which type stripping cannot import. */
const ARGON2ID = 2;

/** Hashes waiting for a turn; each takes about 30 ms, so this is some seconds of work. */
const DEFAULT_MAX_QUEUE = 200;

/** A hash of an all-zero key under an all-zero salt: no password verifies against it, but trying costs the same. */
const DUMMY_HASH = `$argon2id$v=19$m=${ARGON2_PARAMETERS.memoryCost},t=${ARGON2_PARAMETERS.timeCost},p=${ARGON2_PARAMETERS.parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** Too many hashes wait already. Retryable: answer 503 with Retry-After. */
export class PasswordHasherBusyError extends Error {
  override readonly name = 'PasswordHasherBusyError';
  constructor() {
    super('too many password hashes are waiting');
  }
}

export type PasswordHasherOptions = {
  /** Hashes computed at once. Each holds 19 MiB and a core, and a thread of the four in libuv's pool. */
  concurrency?: number;
  maxQueue?: number;
};

/** Hashes and verifies passwords, a bounded number at a time, so that a flood of logins leaves the process responsive. */
export function createPasswordHasher({ concurrency = 2, maxQueue = DEFAULT_MAX_QUEUE }: PasswordHasherOptions = {}) {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function limited<T>(work: () => Promise<T>): Promise<T> {
    if (running >= concurrency) {
      if (waiting.length >= maxQueue) throw new PasswordHasherBusyError();
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      // The turn is handed on without being given back, so nobody who arrives now can overtake the queue.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  const options: Options = { ...ARGON2_PARAMETERS, algorithm: ARGON2ID };

  return {
    /**
     * The PHC string of a password, with a random salt of its own.
     *
     * @throws PasswordHasherBusyError
     */
    hash(password: string): Promise<string> {
      return limited(() => hash(normalizePassword(password), options));
    },

    /**
     * Whether the password belongs to the hash, and whether to store a new hash because the parameters have changed.
     *
     * @throws PasswordHasherBusyError; the library's error when the stored hash is not a PHC string
     */
    async verify(storedHash: string, password: string): Promise<{ ok: boolean; needsRehash: boolean }> {
      const ok = await limited(() => verify(storedHash, normalizePassword(password)));
      return { ok, needsRehash: ok && isOutdated(storedHash) };
    },

    /**
     * Costs what {@link verify} costs and is never right: for an e-mail without an account, so that the time of the
     * answer does not tell which addresses exist.
     *
     * @throws PasswordHasherBusyError
     */
    async verifyUnknownUser(password: string): Promise<false> {
      await limited(() => verify(DUMMY_HASH, normalizePassword(password)));
      return false;
    },
  };
}

export type PasswordHasher = ReturnType<typeof createPasswordHasher>;

/** NFKC, as NIST SP 800-63B section 5.1.1.2 has it: a password typed on another keyboard gives the same bytes. */
export function normalizePassword(password: string): string {
  return password.normalize('NFKC');
}

function isOutdated(storedHash: string): boolean {
  const stored = parseOptions(storedHash);
  return (
    stored.algorithm !== ARGON2ID ||
    stored.memoryCost < ARGON2_PARAMETERS.memoryCost ||
    stored.timeCost < ARGON2_PARAMETERS.timeCost ||
    stored.outputLen < ARGON2_PARAMETERS.outputLen
  );
}
