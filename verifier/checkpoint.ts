/** What a published checkpoint says of the log: C2SP tlog-checkpoint with the chain's head and the time. */
export interface Checkpoint {
  origin: string;
  size: number;
  root: string;
  head: string;
  /** RFC 3339 in UTC with microseconds. */
  time: string;
  /** 0 until a restore that lost published entries was accepted; then its number. */
  fork: number;
  /** Of fork 1 on: the log went on behind `kept` entries where `lost` had been published. */
  restored: { kept: number; lost: number } | null;
}

export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const DECIMAL = /^(0|[1-9]\d{0,15})$/;
const FORM =
  /^([^\n]+)\n(\d+)\n([A-Za-z0-9+/]{43}=)\nhead ([A-Za-z0-9+/]{43}=)\ntime ([^\n]+)\n(?:restored (\d+) (\d+) (\d+)\n)?$/;

/** Reads a checkpoint's text strictly; null when it is none. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [, origin = '', size, root, head, time = '', number, kept, lost] = match;
  const checkpoint: Checkpoint = {
    origin,
    size: decimal(size),
    root: hex(root),
    head: hex(head),
    time,
    fork: number === undefined ? 0 : decimal(number),
    restored: number === undefined ? null : { kept: decimal(kept), lost: decimal(lost) },
  };
  const numbers = [checkpoint.size, checkpoint.fork, checkpoint.restored?.kept ?? 0, checkpoint.restored?.lost ?? 0];
  if (numbers.some((number) => !Number.isSafeInteger(number)) || !TIME.test(time)) return null;
  const { restored, fork } = checkpoint;
  if (restored !== null && (fork === 0 || restored.kept >= restored.lost || restored.kept > checkpoint.size))
    return null;
  return checkpoint.root === '' || checkpoint.head === '' ? null : checkpoint;
}

/** The name a checkpoint is published under: fork and size. */
export function checkpointName({ fork, size }: Checkpoint): string {
  return `${String(fork).padStart(4, '0')}-${String(size).padStart(20, '0')}.txt`;
}

const decimal = (text: string | undefined): number => (DECIMAL.test(text ?? '') ? Number(text) : Number.NaN);

/** Empty for base64 that another text would decode to as well. */
function hex(base64: string | undefined): string {
  const bytes = Buffer.from(base64 ?? '', 'base64');
  return bytes.toString('base64') === base64 ? bytes.toString('hex') : '';
}
