import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyConsistency } from '../../security/merkle.ts';

const NAME = 'witness.test/w1';
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * A witness on loopback after https://c2sp.org/tlog-witness, written from the text: it knows one log by its verifier key,
 * remembers the last checkpoint that it cosigned, and takes no other that is not proved to be an extension of it.
 *
 * @param logKey verifier key of the log: `name+hash+base64(0x01 || public key)`
 */
export async function startWitness(logKey: string) {
  const [origin = '', , encoded = ''] = logKey.split('+');
  // The base64 may itself hold a plus.
  const raw = Buffer.from(logKey.split('+').slice(2).join('+') || encoded, 'base64').subarray(1);
  const logPublicKey = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const ownRaw = publicKey.export({ format: 'der', type: 'spki' }).subarray(12);
  const keyId = createHash('sha256')
    .update(Buffer.concat([Buffer.from(`${NAME}\n`), Buffer.from([4]), ownRaw]))
    .digest()
    .subarray(0, 4);
  const logKeyId = createHash('sha256')
    .update(Buffer.concat([Buffer.from(`${origin}\n`), Buffer.from([1]), raw]))
    .digest()
    .subarray(0, 4);

  let latest = { size: 0, root: Buffer.alloc(0) };
  const requests: { old: number; proof: number; status: number }[] = [];
  let behaviour: 'good' | 'forges' | 'fails' | 'hangs' = 'good';

  function answer(body: string): { status: number; type?: string; text: string; old: number; proof: number } {
    const [head = '', ...rest] = body.split('\n\n');
    const note = rest.join('\n\n');
    const [first = '', ...proofLines] = head.split('\n');
    const old = Number(/^old (\d+)$/.exec(first)?.[1] ?? Number.NaN);
    const facts = { old, proof: proofLines.length };
    const end = note.indexOf('\n\n') + 1;
    const text = note.slice(0, end);
    const [name, size, root] = text.split('\n');
    if (Number.isNaN(old) || end === 0) return { status: 400, text: '', ...facts };
    if (name !== origin) return { status: 404, text: '', ...facts };
    const isSigned = [...note.slice(end + 1).matchAll(/^\u2014 (\S+) (\S+)\n/gm)].some(([, signer, blob = '']) => {
      const bytes = Buffer.from(blob, 'base64');
      if (signer !== origin || !bytes.subarray(0, 4).equals(logKeyId)) return false;
      return verify(null, Buffer.from(text), logPublicKey, bytes.subarray(4));
    });
    if (!isSigned) return { status: 403, text: '', ...facts };
    const given = { size: Number(size), root: Buffer.from(root ?? '', 'base64') };
    if (old > given.size) return { status: 400, text: '', ...facts };
    if (old !== latest.size) return { status: 409, type: 'text/x.tlog.size', text: `${latest.size}\n`, ...facts };
    const proof = proofLines.map((line) => Buffer.from(line, 'base64'));
    if (old === 0) {
      if (proof.length > 0) return { status: 422, text: '', ...facts };
    } else {
      try {
        verifyConsistency({ size1: old, root1: latest.root, size2: given.size, root2: given.root, proof });
      } catch {
        return { status: 422, text: '', ...facts };
      }
    }
    latest = given;
    return { status: 200, text: cosign(text), ...facts };
  }

  function cosign(text: string): string {
    const seconds = BigInt(Math.floor(Date.now() / 1000));
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(seconds);
    const said = behaviour === 'forges' ? `${text}more\n` : text;
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${said}`), privateKey);
    return `\u2014 ${NAME} ${Buffer.concat([keyId, time, signature]).toString('base64')}\n`;
  }

  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    if (behaviour === 'hangs') return;
    if (behaviour === 'fails' || req.method !== 'POST' || req.url !== '/tlog/add-checkpoint') {
      requests.push({ old: -1, proof: 0, status: 500 });
      res.writeHead(500).end();
      return;
    }
    const { status, type, text, old, proof } = answer(Buffer.concat(chunks).toString());
    requests.push({ old, proof, status });
    res.writeHead(status, type ? { 'Content-Type': type } : {}).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tlog`,
    key: `${NAME}+${keyId.toString('hex')}+${Buffer.concat([Buffer.from([4]), ownRaw]).toString('base64')}`,
    name: NAME,
    requests,
    latest: () => latest.size,
    behave(how: typeof behaviour): void {
      behaviour = how;
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
