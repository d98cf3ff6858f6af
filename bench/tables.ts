import { table } from '../cli/replay-report.ts';
import type { TemporalClient } from '../temporal/connection.ts';
import { noSamples, runLoad, type Samples, summarise } from './load.ts';
import { KINDS, type Kind, type Operations } from './operations.ts';
import { cpuMs, type ProcessGroup } from './processes.ts';
import { medianSegments, now, type Segments, type TimedCall } from './segments.ts';

const SEGMENT_SAMPLES = 40;
const CPU_CALLERS = 8;
const CPU_MS = 5_000;

/** Latency and throughput, and their ratios to the bare workflow's. */
export function latencyTable(results: ReadonlyMap<number, Record<Kind, Samples>>): string {
  const lines: string[][] = [];
  for (const [concurrency, samples] of results) {
    const bare = summarise(samples.hello);
    for (const kind of KINDS) {
      const result = summarise(samples[kind]);
      lines.push([
        `${concurrency}  ${kind}`,
        String(result.count),
        result.p50.toFixed(1),
        result.p99.toFixed(1),
        result.perSecond.toFixed(1),
        `${(result.p50 / bare.p50).toFixed(2)} x`,
        `${(result.perSecond / bare.perSecond).toFixed(2)} x`,
      ]);
    }
  }
  return table(['callers, call', 'calls', 'p50 ms', 'p99 ms', 'per s', 'p50 ratio', 'per s ratio'], lines);
}

async function segmentsOf(call: () => Promise<string>, temporal: TemporalClient): Promise<Segments> {
  const timed: TimedCall[] = [];
  for (let n = 0; n < SEGMENT_SAMPLES; n += 1) {
    const sentAt = now();
    const workflowId = await call();
    timed.push({ workflowId, sentAt, answeredAt: now() });
  }
  return medianSegments(temporal.client, timed);
}

/** Where the milliseconds of one verdict go when nothing else runs. */
export async function segmentTable(calls: Operations, temporal: TemporalClient): Promise<string> {
  const found: Segments[] = [];
  for (const kind of KINDS) found.push(await segmentsOf(calls[kind], temporal));
  const line = (label: string, key: keyof Segments) => [label, ...found.map((segments) => segments[key].toFixed(1))];
  return table(
    ['median ms of one call', ...KINDS],
    [
      line('sent -> workflow stored (HTTP, session, look-ups; Temporal)', 'toStart'),
      line('-> task at a worker (Temporal)', 'dispatch'),
      line('-> result stored (workflow, database transaction; Temporal)', 'worker'),
      line('-> answer received (Temporal, HTTP)', 'back'),
    ],
  );
}

/** Processor time per call and process while the callers keep the machine busy. */
export async function cpuTable(groups: readonly ProcessGroup[], calls: Operations): Promise<string> {
  const columns: number[][] = [];
  for (const kind of KINDS) {
    const before = [...groups.map(cpuMs), callerMs()];
    const samples = noSamples();
    await runLoad(CPU_CALLERS, CPU_MS, calls[kind], samples);
    const after = [...groups.map(cpuMs), callerMs()];
    columns.push(after.map((ms, index) => (ms - (before[index] ?? 0)) / samples.latencies.length));
  }
  const names = [...groups.map(({ name }) => name), 'this program'];
  return table(
    ['processor ms a call', ...KINDS],
    names.map((name, index) => [name, ...columns.map((column) => (column[index] ?? 0).toFixed(1))]),
  );
}

/** Of this process alone: those it started are groups of their own. */
function callerMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
