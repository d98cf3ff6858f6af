import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

const FLUSH_AT = 64 * 1024;

/**
 * Writes the scores of every row, one column a rule set: `tx_id,score` where there is one, else `tx_id` and the versions.
 * The file appears when it is whole: until then it has another name.
 */
export function createScoresFile(path: string, versions: readonly string[]) {
  const unfinished = `${path}.${process.pid}.part`;
  const file = openSync(unfinished, 'wx', 0o644);
  let pending = `tx_id,${versions.length === 1 ? 'score' : versions.join(',')}\n`;

  function flush(): void {
    writeSync(file, pending);
    pending = '';
  }

  return {
    add(id: string, scores: Float64Array): void {
      pending += id;
      for (const score of scores) pending += TEXTS[score];
      pending += '\n';
      if (pending.length >= FLUSH_AT) flush();
    },

    /** Gives the file its name. */
    finish(): void {
      flush();
      closeSync(file);
      renameSync(unfinished, path);
    },

    /** Leaves nothing behind. */
    discard(): void {
      closeSync(file);
      rmSync(unfinished, { force: true });
    },
  };
}

/** Every score there is, as text. */
const TEXTS = Array.from({ length: 101 }, (_, hundredths) => `,${(hundredths / 100).toFixed(2)}`);
