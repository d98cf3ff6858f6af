/** What a witness answered to a checkpoint. */
export type WitnessAnswer =
  /** `lines`: what it says are its signature lines, each with its line break; nothing about them was checked. */
  | { kind: 'cosigned'; lines: string }
  /** The size of the last checkpoint that it cosigned, which is another one than it was told. */
  | { kind: 'knows'; size: number }
  | { kind: 'refused'; status: number }
  /** It did not answer, or not in the words of the protocol. */
  | { kind: 'unreachable'; reason: string };

export interface AddCheckpoint {
  /** Size of the last checkpoint that it is believed to have cosigned; 0 for none. */
  oldSize: number;
  /** Consistency of that one with this one, RFC 6962; empty for 0 and for the same size. */
  proof: readonly Uint8Array[];
  /** The signed note. */
  note: string;
}

const TIMEOUT_MS = 10_000;
/** A line is about 150 bytes; more is no answer of a witness. */
const MAX_ANSWER_BYTES = 16_384;
const SIZE_TYPE = 'text/x.tlog.size';

/**
 * Asks a witness to cosign checkpoints: the call `add-checkpoint` of https://c2sp.org/tlog-witness. Never throws but for
 * the caller's signal: a witness that is away is an outcome.
 *
 * @param url the submission prefix
 */
export function createWitnessClient(url: string, { timeoutMs = TIMEOUT_MS }: { timeoutMs?: number } = {}) {
  const target = new URL(`${url.replace(/\/$/, '')}/add-checkpoint`);

  return {
    async addCheckpoint({ oldSize, proof, note }: AddCheckpoint, signal?: AbortSignal): Promise<WitnessAnswer> {
      const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('');
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(target, {
          method: 'POST',
          headers: { 'Content-Type': 'text/plain; charset=utf-8' },
          body: `old ${oldSize}\n${lines}\n${note}`,
          redirect: 'error',
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        const answer = await limited(response);
        if (response.status === 200) return { kind: 'cosigned', lines: answer };
        if (response.status === 409 && response.headers.get('content-type') === SIZE_TYPE) {
          const size = /^(0|[1-9]\d{0,15})\n$/.exec(answer)?.[1];
          if (size !== undefined) return { kind: 'knows', size: Number(size) };
        }
        return { kind: 'refused', status: response.status };
      } catch (error) {
        signal?.throwIfAborted();
        const cause = (error as { cause?: { code?: string } }).cause?.code;
        return { kind: 'unreachable', reason: cause ?? (error as Error).name };
      }
    },
  };
}

export type WitnessClient = ReturnType<typeof createWitnessClient>;

async function limited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new RangeError('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
