const WIDTH = 30;
const EVERY_MS = 200;

/** A bar on a terminal; nothing where there is none. */
export function createProgress(stream: NodeJS.WriteStream) {
  let total = 0;
  let done = 0;
  let timer: NodeJS.Timeout | undefined;

  function draw(): void {
    // A second reading, where something is wrong, goes beyond.
    const share = total === 0 ? 0 : Math.min(1, done / total);
    const filled = Math.round(share * WIDTH);
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    stream.write(`\r${bar} ${(share * 100).toFixed(0).padStart(3)}% | ${megabytes(done)} of ${megabytes(total)} MB`);
  }

  return {
    start(bytes: number): void {
      total = bytes;
      if (!stream.isTTY) return;
      draw();
      timer = setInterval(draw, EVERY_MS);
    },
    add(bytes: number): void {
      done += bytes;
    },
    /** Takes the bar away. */
    stop(): void {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      stream.write('\r\u001b[K');
    },
  };
}
