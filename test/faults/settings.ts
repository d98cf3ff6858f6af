/** What `npm run test:faults` was asked for; the tests of the long form read it here. */
export const settings = {
  seed: numberOf('FAULTS_SEED', 1),
  minutes: numberOf('FAULTS_MINUTES', 2),
  transactions: numberOf('FAULTS_TRANSACTIONS', 2_000),
};

function numberOf(name: string, otherwise: number): number {
  return Number(process.env[name] ?? otherwise);
}

/** A line of progress, with the time since the start. */
export function say(line: string): void {
  process.stdout.write(`  ${Math.round(performance.now() / 1000)} s: ${line}\n`);
}
